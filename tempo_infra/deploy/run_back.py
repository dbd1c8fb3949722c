"""Which run is taken back, where each of its hosts goes then, and how that fits what the others are.

Pure: what hosts answered goes in. Each host's own journal says what a run did to it; the records of the
cluster say what it was for: which other hosts there were, and where.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.deploy.since import BY_HAND
from tempo_infra.errors import InputError
from tempo_infra.on_host.journal import DECIDED
from tempo_infra.on_host.layout import ZERO

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tempo_infra.on_host.cluster_record import ClusterRecord, Member
    from tempo_infra.on_host.runs import Runs

LISTED = "tempo-infra history lists the runs, and the generations (--to)"
RUN = re.compile(r"[0-9a-f]{4,64}")  # the beginning of an id is enough
GENERATION = re.compile(r"[0-9a-f]{1,64}")


def must_be_one(run: str | None, to: str | None) -> None:
    """Raise InputError for what can be neither a run nor a generation: no host has to be asked for that."""
    if run is not None and to is not None:
        raise InputError("RUN and --to exclude each other", remedy="a run, or a generation: not both")
    if run is not None and not RUN.fullmatch(run):
        raise InputError(f"{run!r} is no run: 4 to 8 characters of 0-9 and a-f", remedy=LISTED)
    if to is not None and not GENERATION.fullmatch(to):
        raise InputError(f"--to {to!r} is no generation: up to 64 characters of 0-9 and a-f", remedy=LISTED)


@dataclass(frozen=True, slots=True)
class Change:
    """What one run did to one host."""

    run: str
    before: str | None  # the generation until then; None: the journal does not go back so far
    after: str
    time: str
    who: str
    was_rollback: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What the runs made of one host, by its journal."""

    changes: Mapping[str, Change]  # by run, the newest last
    now: str  # generation
    good: str | None  # the generation that was kept, or gone back to, last; None: the journal says of none
    decided: str | None  # the last that a run has decided about: `good`, or one that was held

    @property
    def strays(self) -> bool:
        """Whether the host is on a generation that no run has left it on, as when the link is gone."""
        return self.good not in (None, ZERO) and self.now != self.decided

    def is_on_top(self, run: str) -> bool:
        """Whether the host is on what that run made, or was not changed by it."""
        return run not in self.changes or self.now == self.changes[run].after

    def above(self, run: str) -> list[str]:
        """Return the runs to take back before this one, in that order; those that cancel out are left out."""
        names = list(self.changes)
        later = [self.changes[name] for name in names[names.index(run) + 1 :]]
        first: dict[str, Change] = {}  # generation -> the first change that led to it
        for one in later:
            first.setdefault(one.after, one)
        found: list[str] = []
        now = self.now
        while now != self.changes[run].after and now in first and len(found) < len(later):
            found.append(first[now].run)
            now = first[now].before or ZERO
        return found


def past(runs: Runs) -> Past:
    """Read a journal for the runs that brought its host to another generation."""
    good = decided = ZERO if runs.zero else None
    found: dict[str, Change] = {}
    held: Change | None = None
    for entry in runs.entries:
        if entry.result not in DECIDED:
            continue
        decided = entry.generation or ZERO
        by_hand = entry.detail == BY_HAND
        change = Change(entry.run, good, decided, entry.time, entry.who, by_hand) if decided != good else None
        held = change if entry.result == "held" else None
        if entry.result == "confirmed" and change is not None:
            found.pop(entry.run, None)
            found[entry.run] = change
        if entry.result != "held":
            good = decided
    if held is not None:
        found[held.run] = held
    return Past(found, runs.current or ZERO, good, decided)


def named(pasts: Mapping[str, Past], run: str) -> str:
    """Return the run that is meant; the beginning of its id will do. InputError."""
    known = {name for one in pasts.values() for name in one.changes}
    found = [run] if run in known else sorted(name for name in known if name.startswith(run))
    if len(found) > 1:
        raise InputError(f"{len(found)} runs begin with {run}: {', '.join(found[:4])}", remedy=LISTED)
    if not found:
        raise InputError(f"no run {run} has changed any of these hosts", remedy=LISTED)
    return found[0]


@dataclass(frozen=True, slots=True)
class Last:
    """The run that changed hosts last."""

    run: str
    doubt: str = ""  # why it may be another one, in words: hosts do not agree


def last(pasts: Mapping[str, Past], answers: Mapping[str, Runs]) -> Last:
    """Return the run that all hosts know as the last one; else the likeliest, with the doubt. InputError.

    A host's clock, journal and records are its own word, so no date decides what all agree on. Where they do
    not, it is one that is on top on each host that it changed, by the hosts' clocks: for a person to look at.
    """
    ends = {one.run: one.time for some in pasts.values() for one in list(some.changes.values())[-1:]}
    on_top = [name for name in ends if all(one.is_on_top(name) for one in pasts.values())]
    if not on_top:
        raise InputError("no run has changed any of these hosts", remedy=LISTED)
    said: dict[str, list[str]] = {}
    for host, runs in answers.items():
        for run in _last_known(pasts[host], runs, answers.keys()):
            said.setdefault(run, []).append(host)
    if len(said) == 1 and (run := next(iter(said))) in on_top:
        return Last(run)
    words = "; ".join(f"{run} by {', '.join(hosts)}" for run, hosts in said.items())
    return Last(
        max(on_top, key=lambda name: (ends[name], name)), f"hosts differ on which run was the last: {words}"
    )


def _last_known(past: Past, runs: Runs, hosts: Collection[str]) -> list[str]:
    """Return what a host knows as the last run that changed any of these hosts; two where it can't tell.

    Its journal says what was done to itself, its records what was done to all that a run reached.
    """
    numbers = {one.run: number for number, one in enumerate(runs.records)}
    told = [one.run for one in runs.records if any(m.changed and m.name in hosts for m in one.members)][-1:]
    own = next(iter([*past.changes.values()][-1:]), None)
    if own is None or own.run in told:
        return told
    if (
        own.run in numbers
    ):  # its record says that it changed nobody here: where the confirmation was not heard
        return [own.run] if not told or numbers[own.run] > numbers[told[0]] else told
    is_older = bool(runs.records) and own.time < runs.records[0].at  # than what records are kept of
    return told if told and is_older else [own.run, *told]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What hosts keep of one run. Any of them may lie, so nothing is allowed by one that another denies."""

    records: tuple[ClusterRecord, ...] = ()  # each once; empty: nobody keeps it

    def befores(self, host: str) -> set[str]:
        """Return what a host was on before the run, by any of them."""
        return {one.before for one in self._of(host)}

    def spared(self, host: str) -> bool:
        """Whether the run did not change a host, by all of them."""
        found = self._of(host)
        return bool(found) and all(one.generation and not one.changed for one in found)

    def changed(self, host: str) -> bool:
        """Whether any of them says that the run came as far as this host."""
        return any(one.generation for one in self._of(host))

    @property
    def all_changed(self) -> list[str]:
        """The hosts that the run changed, by any of them."""
        return list(dict.fromkeys(m.name for one in self.records for m in one.members if m.changed))

    def _of(self, host: str) -> list[Member]:
        return [member for one in self.records if (member := one.member(host)) is not None]


def recorded(answers: Iterable[Runs], run: str) -> Recorded:
    """Return what hosts keep of a run."""
    found = (one for runs in answers for one in runs.records if one.run == run)
    return Recorded(tuple(dict.fromkeys(found)))
