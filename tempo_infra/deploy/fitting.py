"""Whether generations that hosts would go to fit each other and the hosts that stay. Pure.

What a generation was made for stands in the cluster's record of the last run that left its host on it. Hosts
meet at the database: its host names who may log in, by address, and the others name where it is. What is
different there locks somebody out; all else is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.components import COMPONENTS, of
from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO
from tempo_infra.topology.stores import KEPT_BY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tempo_infra.deploy.believed import Believed
    from tempo_infra.on_host.cluster_record import ClusterRecord, Member
    from tempo_infra.on_host.runs import Runs

STORES = {kept.component for kept in KEPT_BY.values()}
BY_ANOTHER = "as run {} left the cluster; `tempo-infra provision` on all hosts tells each what it is now"
KEEPERS = {of(one).role for one in STORES}
CLIENTS = {one.role for one in COMPONENTS if not STORES.isdisjoint(one.needs)} - KEEPERS


@dataclass(frozen=True, slots=True)
class Fit:
    """How generations that hosts would go to agree with each other and with the hosts that stay."""

    members: tuple[Member, ...] = ()  # the hosts as they would be; empty: nobody knows
    now: ClusterRecord | None = None
    inventory: str = ""  # sha256 of the one that all of these generations came of; empty: of several
    refused: tuple[tuple[str, str], ...] = ()  # host, why; the host is empty for the whole
    gone: tuple[Member, ...] = ()  # taken out before, and may come back
    notes: tuple[str, ...] = ()  # what is different and does no harm, or can't be known


def fit(answers: Mapping[str, Runs], to: Mapping[str, str], told: Believed) -> Fit:
    """Compare what each generation was made for with what the cluster would be.

    A host that goes to generation 0 is a member no more. The newest record says what the cluster is; what
    speaks against the way by any other one is refused, too: the newest may be a lie.
    """
    going = {name: generation for name, generation in to.items() if generation != ZERO}
    then = {name: record_when(answers[name], name, generation) for name, generation in going.items()}
    notes = [
        f"no record says for which cluster {name}'s {name_of(going[name])} was made: it can't be compared"
        for name, record in then.items()
        if record is None
    ]
    if told.newest is None:
        return Fit(notes=(*told.doubts, *notes))
    members, refused, harmless = _compared(told.newest, then, to)
    for older in told.records[1:]:
        for name, why in _compared(older, then, to)[1]:
            if (name, why) not in refused:
                refused[name, f"{why} ({BY_ANOTHER.format(older.run)})"] = None
    came_of = {one.inventory if one is not None else "" for one in then.values()}
    inventory = came_of.pop() if len(came_of) == 1 else ""
    said = tuple(dict.fromkeys((*told.doubts, *notes, *harmless)))
    return Fit(tuple(members.values()), told.newest, inventory, tuple(refused), told.gone, said)


def _compared(
    now: ClusterRecord, then: Mapping[str, ClusterRecord | None], to: Mapping[str, str]
) -> tuple[dict[str, Member], dict[tuple[str, str], None], list[str]]:
    """Return the hosts as they would be, what is refused, and what is said, by one record of the cluster."""
    members = {one.name: one for one in now.members if to.get(one.name) != ZERO}
    for name, record in then.items():
        if record is not None and (mine := record.member(name)) is not None:
            members[name] = mine
    refused = dict.fromkeys(_of_who_stays(now, members, to))
    harmless = []
    for name, record in then.items():
        for what, harms in _differs(name, record, members, now) if record is not None else ():
            words = f"generation {name_of(to[name])} {what}"
            if harms:
                refused[name, words] = None
            else:
                harmless.append(f"{name}: {words}")
    return members, refused, harmless


def record_when(runs: Runs, host: str, generation: str) -> ClusterRecord | None:
    """Return the cluster as it was when a host was last on that generation."""
    for record in reversed(runs.records):
        member = record.member(host)
        if member is not None and member.generation == generation:
            return record
    return None


def _meet(one: Member, other: Member) -> bool:
    """Whether one of them has the database of the other: each has the other's address in its files then."""
    return one.name != other.name and any(
        _keeps_a_store(a.roles) and not CLIENTS.isdisjoint(b.roles) for a, b in ((one, other), (other, one))
    )


def _keeps_a_store(roles: Collection[str]) -> bool:
    """Whether a host of these roles has a database that others need."""
    return not KEEPERS.isdisjoint(roles)


def _differs(
    name: str, then: ClusterRecord, members: Mapping[str, Member], now: ClusterRecord
) -> Iterator[tuple[str, bool]]:
    """Yield in what a host's generation was made for another cluster, and whether that does harm."""
    for what, value in then.alike:
        if (present := dict(now.alike).get(what, value)) != value:
            yield f"is of a cluster with {value} {what}, which has {present} now", True
    mine, had = members[name], {one.name: one for one in then.members}
    for one in members.values():
        known = had.get(one.name)
        meet = _meet(mine, one)
        if known is None:
            yield f"was made before {one.name} ({one.internal}) was a member{_kept_out(meet)}", meet
        elif known.internal != one.internal:
            yield f"has {one.name} at {known.internal}, which would be at {one.internal}", meet
        elif set(known.roles) != set(one.roles):
            harms = meet and not _meet(mine, known)
            yield f"was made when {one.name} had {', '.join(known.roles)}{_kept_out(harms)}", harms
    for known in then.members:
        if known.name not in members:
            yield f"knows {known.name} ({known.internal}), which would be no member", False


def _kept_out(harms: bool) -> str:
    return ", and would shut it out" if harms else ""


def _of_who_stays(
    now: ClusterRecord, members: Mapping[str, Member], to: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield what hosts that stay would not find any more."""
    stay = [one for one in now.members if one.name not in to]
    for one in now.members:
        then = members.get(one.name, one)
        if then.internal == one.internal:
            continue
        if at_a_loss := [other.name for other in stay if _meet(other, then)]:
            where = f"where {', '.join(at_a_loss)} would look for it at {one.internal}"
            yield one.name, f"would be at {then.internal}, {where}"
    had, left = ({role for one in some for role in one.roles} for some in (now.members, members.values()))
    if gone := sorted(had - left):
        yield "", f"no host would have {', '.join(gone)} any more"
