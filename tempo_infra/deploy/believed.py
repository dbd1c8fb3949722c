"""What hosts say of the cluster by their records, as far as that can be: any of them may be lied to, or lie.

A host's word is its own: one of a time that is still to come, or of another cluster, is believed by nobody.
Of the rest the newest says what the cluster is. What it leaves out and another one knows may be hidden, or
gone by now: nobody can tell by the records alone, so whoever asks looks at all of them. Pure.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tempo_infra.on_host.cluster_record import ClusterRecord, Member

AHEAD_S = 600  # by which the clocks of two operators may differ


@dataclass(frozen=True, slots=True)
class Believed:
    """The records of hosts, each once, the newest first."""

    records: tuple[ClusterRecord, ...] = ()
    doubts: tuple[str, ...] = ()  # which were not believed, and why, in words

    @property
    def newest(self) -> ClusterRecord | None:
        """The cluster as it is now, as far as any of the hosts says."""
        return self.records[0] if self.records else None

    @property
    def gone(self) -> tuple[Member, ...]:
        """Who was taken out and may come back, by any of them; each address once."""
        found = {one.internal: one for record in reversed(self.records) for one in record.gone}
        return tuple(found.values())


NOTHING = Believed()


def believed(records: Mapping[str, ClusterRecord | None], names: Collection[str]) -> Believed:
    """Take the records of hosts, by host; `names`: what the cluster is called, and was until now."""
    doubts = {name: why for name, one in records.items() if one is not None and (why := why_not(one, names))}
    kept = {one for name, one in records.items() if one is not None and name not in doubts}
    said = (f"{name}'s record of the cluster is not believed: {why}" for name, why in doubts.items())
    return Believed(tuple(sorted(kept, key=lambda one: (one.at, one.run), reverse=True)), tuple(said))


def why_not(record: ClusterRecord, names: Collection[str]) -> str:
    """Say why nobody believes a record; empty where it can be."""
    if record.cluster not in names:
        return f"it is of the cluster {record.cluster!r}"
    latest = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + AHEAD_S))
    return f"it is of {record.at}, which is still to come by the clock here" if record.at > latest else ""
