"""Which run is taken back, where each of its hosts goes then, and whether that fits what the others are.

Pure: what hosts answered goes in. Each host's own journal says what a run did to it; the records of the
cluster say what it was for: which other hosts there were, and where.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tempo_infra.on_host.cluster_record import ClusterRecord, Member
    from tempo_infra.on_host.runs import Runs

LISTED = "tempo-infra history lists the runs of each host"
SHORTEST = 4  # characters of a run's id that are enough


@dataclass(frozen=True, slots=True)
class Change:
    """What one run did to one host."""

    run: str
    before: str | None  # the generation until then; None: the journal does not go back so far
    after: str
    time: str
    who: str


def changes(runs: Runs) -> list[Change]:
    """Return the runs that brought a host to another generation, the newest last."""
    found: list[Change] = []
    good: str | None = ZERO if runs.zero else None
    for entry in runs.entries:
        now = entry.generation or ZERO
        if entry.result == "confirmed" and now != good:
            found.append(Change(entry.run, good, now, entry.time, entry.who))
        if entry.result in ("confirmed", "rolled back"):
            good = now
    return found


def chosen(answers: Mapping[str, Runs], run: str | None) -> str:
    """Return the run that is meant: the named one (the beginning of its id will do), or the last of all.

    The last one is on top on each host that it changed; among several such, by the hosts' clocks. InputError.
    """
    by_host = {name: changes(runs) for name, runs in answers.items()}
    if run is not None:
        known = {one.run for some in by_host.values() for one in some}
        found = [run] if run in known else sorted(one for one in known if _begins(one, run))
        if len(found) > 1:
            raise InputError(f"{len(found)} runs begin so: {', '.join(found)}", remedy=LISTED)
        if not found:
            raise InputError(f"no run {run} has changed any of these hosts", remedy=LISTED)
        return found[0]
    last = {some[-1].run: some[-1].time for some in by_host.values() if some}
    on_top = {one for one in last if not any(runs_on_top(runs, one) for runs in answers.values())}
    if not on_top:
        raise InputError("no run has changed any of these hosts", remedy=LISTED)
    return max(on_top, key=lambda one: (last[one], one))


def _begins(run: str, text: str) -> bool:
    return len(text) >= SHORTEST and run.startswith(text)


def of_run(runs: Runs, run: str) -> Change | None:
    """Return what a run did to a host; None: nothing."""
    return next((one for one in reversed(changes(runs)) if one.run == run), None)


def runs_on_top(runs: Runs, run: str) -> list[str]:
    """Return the runs that a host would lose with it; none where it is on what that run made, however."""
    all_of_it = changes(runs)
    mine = of_run(runs, run)
    if mine is None or (runs.current or ZERO) == mine.after:
        return []
    at = all_of_it.index(mine)
    return list(dict.fromkeys(one.run for one in all_of_it[at + 1 :])) or ["a change that is not confirmed"]


def record_of(answers: Iterable[Runs], run: str) -> ClusterRecord | None:
    """Return what hosts keep of a run."""
    return next((one for runs in answers for one in reversed(runs.records) if one.run == run), None)


def newest(answers: Iterable[Runs]) -> ClusterRecord | None:
    """Return the cluster as it is now, as far as any of these hosts knows."""
    return max((runs.record for runs in answers if runs.record), key=lambda one: one.at, default=None)


def record_when(runs: Runs, host: str, generation: str) -> ClusterRecord | None:
    """Return the cluster as it was when a host was last on that generation."""
    for record in reversed(runs.records):
        member = record.member(host)
        if member is not None and member.generation == generation:
            return record
    return None


@dataclass(frozen=True, slots=True)
class Fit:
    """How generations that hosts would go to agree with each other and with the hosts that stay."""

    members: tuple[Member, ...]  # the hosts as they would be; empty: nobody knows
    alike: tuple[tuple[str, str], ...] = ()
    inventory: str = ""  # sha256 of the one that all of these generations came of; empty: of several
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what is different and does no harm, or can't be known


def fit(answers: Mapping[str, Runs], to: Mapping[str, str]) -> Fit:
    """Compare what each generation was made for with what the cluster would be."""
    now = newest(answers.values())
    then = {name: record_when(answers[name], name, generation) for name, generation in to.items()}
    unknown = sorted(name for name, record in then.items() if record is None)
    notes = (
        [f"no record says for which cluster {_where(to, unknown)} was made: it can't be compared"]
        if unknown
        else []
    )
    if now is None:
        return Fit((), notes=tuple(notes))
    members = {one.name: one for one in now.members}
    for name, record in then.items():
        if record is not None and (mine := record.member(name)) is not None:
            members[name] = mine
    refused: dict[str, None] = {}
    for name, record in then.items():
        if record is not None:
            for what, harms in _differs(name, to[name], record, members, now):
                if harms:
                    refused[what] = None
                else:
                    notes.append(what)
    refused |= dict.fromkeys(_of_who_stays(now, members, to))
    came_of = {one.inventory if one is not None else "" for one in then.values()}
    inventory = came_of.pop() if len(came_of) == 1 else ""
    return Fit(tuple(members.values()), now.alike, inventory, tuple(refused), tuple(dict.fromkeys(notes)))


def _where(to: Mapping[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{name}'s {to[name][:12]}" for name in names)


def _differs(
    name: str, generation: str, then: ClusterRecord, members: Mapping[str, Member], now: ClusterRecord
) -> Iterator[tuple[str, bool]]:
    """Yield in what a host's generation was made for another cluster, and whether that does harm."""
    its = f"{name}'s {name_of(generation)}"
    for what, value in then.alike:
        if (present := dict(now.alike).get(what, value)) != value:
            yield f"{its} is of a cluster with {value} {what}; it has {present}", True
    for one in members.values():
        known = then.member(one.name)
        if known is None:
            yield (
                f"{its} was made before {one.name} ({one.internal}) was a member, and would keep it out",
                True,
            )
        elif known.internal != one.internal:
            yield f"{its} has {one.name} at {known.internal}, which would be at {one.internal}", True
        elif known.roles != one.roles:
            yield f"{its} was made when {one.name} had the roles {', '.join(known.roles)}", False
    for known in then.members:
        if known.name not in members:
            yield f"{its} knows {known.name} ({known.internal}), which is no member any more", False


def _of_who_stays(now: ClusterRecord, members: Mapping[str, Member], to: Mapping[str, str]) -> Iterator[str]:
    """Yield what hosts that stay would not find any more."""
    stay = [one.name for one in now.members if one.name not in to]
    for one in now.members:
        if stay and (then := members[one.name]).internal != one.internal:
            where = f"at {one.internal}, which would be at {then.internal}"
            yield f"{', '.join(stay)} would look for {one.name} {where}"
    had, left = ({role for one in some for role in one.roles} for some in (now.members, members.values()))
    if gone := sorted(had - left):
        yield f"no host would have {', '.join(gone)} any more"
