"""What hosts say of the cluster by their records, as far as that can be: any of them may be lied to, or lie.

A host's word is its own: one of a time that is still to come, or of another cluster, is believed by nobody.
Of the rest the newest says what the cluster is. What it leaves out and another one knows may be hidden, or
gone by now: so whoever asks looks at all of them, and at how many hosts say the same. Pure.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tempo_infra.on_host.cluster_record import ClusterRecord, Member

AHEAD_S = 600  # by which the clocks of two operators may differ
AGREE = 2  # hosts whose word is not one host's


@dataclass(frozen=True, slots=True)
class Believed:
    """The records of hosts, and which were not believed."""

    by: Mapping[str, ClusterRecord] = field(default_factory=dict)  # host -> its record
    doubts: tuple[str, ...] = ()  # which were not believed, and why, in words

    @property
    def records(self) -> tuple[ClusterRecord, ...]:
        """Each once, the newest first."""
        return tuple(sorted(set(self.by.values()), key=lambda one: (one.at, one.run), reverse=True))

    @property
    def newest(self) -> ClusterRecord | None:
        """The cluster as it is now, as far as any of the hosts says."""
        return next(iter(self.records), None)

    @property
    def gone(self) -> tuple[Member, ...]:
        """Who was taken out and may come back, by any of them; each address once.

        Whom most hosts know comes first, then as each has it in front: so one that makes many up pushes no
        true one out where there is not room for all.
        """
        found: dict[str, Member] = {}
        places: dict[str, int] = {}
        for record in self.records:
            for place, one in enumerate(record.gone):
                found.setdefault(one.internal, one)
                places[one.internal] = min(place, places.get(one.internal, place))
        known = Counter(at for record in self.by.values() for at in _addresses(record))
        return tuple(found[at] for at in sorted(found, key=lambda at: (-known[at], places[at])))

    def likeliest(self, counts: Callable[[Member], bool]) -> tuple[Member, ...]:
        """Return who was ever a member, by address as most hosts know it, the newer word of equals."""
        words = Counter(_identity(one) for record in self.by.values() for one in _named(record))
        found: dict[str, Member] = {}
        for one in (one for record in self.records for one in _named(record) if counts(one)):
            had = found.setdefault(one.internal, one)
            if words[_identity(one)] > words[_identity(had)]:
                found[one.internal] = one
        return tuple(found.values())

    @property
    def told_by_one(self) -> dict[tuple[str, str], str]:
        """Return the address and place of whom one host alone knows so, where another could: to that host."""
        told: dict[tuple[str, str], list[str]] = {}
        for name, record in self.by.items():
            for where in {(one.internal, one.ssh) for one in _named(record)}:
                told.setdefault(where, []).append(name)
        return {at: names[0] for at, names in told.items() if len(names) < AGREE <= len(self.by)}

    @property
    def members(self) -> tuple[tuple[Member, bool], ...]:
        """Return the members by each record, and whether several hosts' later ones have it no more."""
        later = [(one.at, {member.internal for member in one.members}) for one in self.by.values()]
        return tuple(
            (one, sum(at > record.at and one.internal not in has for at, has in later) >= AGREE)
            for record in self.records
            for one in record.members
        )


def _named(record: ClusterRecord) -> tuple[Member, ...]:
    return (*record.members, *record.gone)


def _identity(one: Member) -> tuple[object, ...]:
    return (one.name, one.internal, one.roles, one.ssh)


def _addresses(record: ClusterRecord) -> set[str]:
    return {one.internal for one in _named(record)}


NOTHING = Believed()


def believed(records: Mapping[str, ClusterRecord | None], names: Collection[str]) -> Believed:
    """Take the records of hosts, by host; `names`: what the cluster is called, and was until now."""
    doubts = {name: why for name, one in records.items() if one is not None and (why := why_not(one, names))}
    kept = {name: one for name, one in records.items() if one is not None and name not in doubts}
    said = (f"{name}'s record of the cluster is not believed: {why}" for name, why in doubts.items())
    return Believed(kept, tuple(said))


def why_not(record: ClusterRecord, names: Collection[str]) -> str:
    """Say why nobody believes a record; empty where it can be."""
    if record.cluster not in names:
        return f"it is of the cluster {record.cluster!r}"
    latest = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + AHEAD_S))
    return f"it is of {record.at}, which is still to come by the clock here" if record.at > latest else ""
