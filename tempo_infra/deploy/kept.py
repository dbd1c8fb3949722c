"""What hosts keep of a run once it is confirmed: which secrets file is in use, and what the cluster is then.

Both are compared with what each host said when it was read, so that a host that knows them already is not
asked again. Where a connection is lost before they are written, the next run sees that and writes them.

A host that changes gets the record with its confirmation, when all have been found healthy: one that does not
hear its confirmation any more keeps its generation by itself. Where one refuses, the others are told so.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.deploy import locks
from tempo_infra.deploy.believed import why_not
from tempo_infra.inventory.addresses import with_port
from tempo_infra.on_host.cluster_record import ClusterRecord, Member
from tempo_infra.on_host.fit import text as printable
from tempo_infra.on_host.steps import change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.state import HostState
    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.secrets import Origin

UNSEEN = re.compile(r"[^!-~]")


class Kept:
    """What the hosts of a run know, and telling them what they don't."""

    def __init__(self, cluster: Cluster, fleet: Fleet, run: str) -> None:
        self._cluster, self._fleet, self._run = cluster, fleet, run
        self._origins: dict[str, str | None] = {}  # host -> the secrets file that it knows, by its digest
        self._records: dict[str, ClusterRecord | None] = {}  # host -> its newest one
        self._told: set[str] = set()  # hosts that have this run's record

    def read(self, states: Mapping[str, HostState]) -> None:
        """Take what hosts said."""
        self._origins = {name: one.origin.digest if one.origin else None for name, one in states.items()}
        names = (self._cluster.name,)  # a record that nobody believes is written again
        self._records = {
            name: None if one.record is None or why_not(one.record, names) else one.record
            for name, one in states.items()
        }

    def tell(self, origin: Origin, record: ClusterRecord | None = None) -> dict[str, TempoInfraError]:
        """Let the hosts that were read know both, in one request; the errors by host name."""
        todo = {name: [*self._origin(name, origin), *self.record(name, record)] for name in self._origins}
        steps = {name: [locks.lock_step(self._run), *some] for name, some in todo.items() if some}
        errors = self._fleet.do(steps, self._cluster.hosts)
        if origin.keys:
            self._origins |= dict.fromkeys(steps.keys() - errors.keys(), origin.digests[-1])
        return errors

    def done(self, stage: Mapping[str, Sequence[object]], errors: Collection[str]) -> None:
        """Take it how a stage of the run ended, in which hosts may have got the record."""
        told = {
            name for name, some in stage.items() if any(isinstance(s, change.ClusterRecord) for s in some)
        }
        self._told |= told - set(errors)

    def correct(self, record: ClusterRecord, failed: Collection[str]) -> None:
        """Take back what hosts were told of the generations of others, which were not confirmed after all.

        Whom this does not reach learns it from the next run.
        """
        members = tuple(replace(one, generation="") if one.name in failed else one for one in record.members)
        right = change.ClusterRecord(replace(record, members=members))
        self._fleet.do({name: [right] for name in self._told}, self._cluster.hosts)

    def _origin(self, host: str, now: Origin) -> list[Step]:
        seen = self._origins[host]
        if not now.keys or seen == now.digests[-1]:
            return []
        return [change.Origin(now.digests[-1], now.write, self._run, seen)]

    def record(self, host: str, now: ClusterRecord | None) -> list[Step]:
        """Return the step that tells a host what the cluster is now; none where it knows."""
        if now is None or host in self._told or now.says_no_more_than(self._records.get(host)):
            return []
        return [change.ClusterRecord(now)]


def record_of(
    cluster: Cluster, run: str, plans: Iterable[HostPlan], gone: tuple[Member, ...] = ()
) -> ClusterRecord:
    """Return what the cluster is once these plans are confirmed; of other hosts no generation is known."""
    planned = {one.host: one for one in plans}
    generations = {
        name: ((one.seen if one.keeps_generation else one.digest) or "", one.previous or "")
        for name, one in planned.items()
    }
    return replace(described(cluster, run, generations, cluster.digest), gone=gone)


def described(
    cluster: Cluster, run: str, generations: Mapping[str, tuple[str, str]], inventory: str
) -> ClusterRecord:
    """Return a record of the inventory's hosts. `generations`: host -> the one it is on, the one before."""
    return ClusterRecord(
        run=run,
        who=printable(locks.who()),
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        cluster=cluster.name,
        inventory=inventory,
        members=tuple(_member(host, *generations.get(host.name, ("", ""))) for host in cluster.hosts),
        alike=(("history shards", str(cluster.temporal.shards)), ("PostgreSQL", cluster.postgres.version)),
    )


def _member(host: Host, generation: str, before: str) -> Member:
    roles = tuple(str(role) for role in host.roles)
    ssh = UNSEEN.sub("?", f"{host.ssh.user}@{with_port(host.ssh.address, host.ssh.port)}")
    return Member(host.name, host.internal, roles, generation, before, ssh)
