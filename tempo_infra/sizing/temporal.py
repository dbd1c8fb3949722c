"""Temporal: ports, pools and dynamic configuration of each service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing.settings import MIB, Setting, TemporalSettings, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster

CONSTANTS = "common/dynamicconfig/constants.go of the server"
PGX_ISSUE = "https://github.com/temporalio/temporal/issues/12097"
PLUGIN = "postgres12_pgx"
PARTITION_VCPU = 8  # below so many vCPUs for matching, one partition a task queue is faster
CACHE_SHARE = 0.35  # of the history container's memory
EVENTS_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a service listens; the same on every host. The membership port must stay below 32768."""

    grpc: int
    membership: int
    http: int | None = None

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(port for port in (self.grpc, self.membership, self.http) if port is not None)


PORTS: Mapping[Role, Ports] = {
    Role.FRONTEND: Ports(7233, 6933, 7243),
    Role.HISTORY: Ports(7234, 6934),
    Role.MATCHING: Ports(7235, 6935),
    Role.WORKER: Ports(7239, 6939),
}
UI_PORT = 8080
POSTGRESQL_PORT = 5432


def temporal(
    cluster: Cluster, roles: tuple[Role, ...], memory: Mapping[str, int], visibility_pool: int
) -> dict[Role, TemporalSettings]:
    """Return the settings of a host's Temporal services; `memory` is bytes by container name."""
    return {
        role: TemporalSettings(
            role=role,
            max_conns=2 * visibility_pool,
            visibility_max_conns=visibility_pool,
            dynamic=(*_everywhere(cluster), *_own(cluster, role, memory[role])),
        )
        for role in roles
    }


def plan_cache_mode() -> Setting:
    """Return the setting of the login role, which deploy applies by SQL."""
    reason = (
        "pgx prepares its statements, and a generic plan may read every retained run of a workflow id;"
        " costs about half of what pgx saves, which is still cheaper than lib/pq"
    )
    return Setting("plan_cache_mode", "force_custom_plan", "", reason, PGX_ISSUE)


def _setting(name: str, value: Value, unit: str, reason: str) -> Setting:
    return Setting(name, value, unit, reason, CONSTANTS)


def _everywhere(cluster: Cluster) -> tuple[Setting, ...]:
    vcpu = sum(host.resources.vcpu for host in cluster.with_role(Role.MATCHING))
    partitions = 1 if vcpu < PARTITION_VCPU else 4
    reason = f"{vcpu} vCPUs match tasks; few pollers spread over many partitions wait longer"
    return (
        _setting("limit.maxIDLength", 255, "", "the columns are VARCHAR(255)"),
        _setting("matching.numTaskqueueReadPartitions", partitions, "", reason),
        _setting("matching.numTaskqueueWritePartitions", partitions, "", "as many as are read"),
    )


def _own(cluster: Cluster, role: Role, memory_bytes: int) -> tuple[Setting, ...]:
    own = {Role.FRONTEND: _frontend, Role.HISTORY: _history, Role.MATCHING: _matching, Role.WORKER: _worker}
    return own[role](cluster, memory_bytes)


def _frontend(cluster: Cluster, memory_bytes: int) -> tuple[Setting, ...]:
    del cluster, memory_bytes
    return (
        _setting("frontend.enableServerVersionCheck", value=False, unit="", reason="no calls home"),
        _setting("frontend.shutdownDrainDuration", 5, "s", "running calls end before the process does"),
        _setting(
            "frontend.namespaceRPS.visibility", 50, "", "lists and counts of the UI; 10 is one busy person"
        ),
    )


def _history(cluster: Cluster, memory_bytes: int) -> tuple[Setting, ...]:
    cache = int(memory_bytes * CACHE_SHARE) // MIB * MIB
    events = int(memory_bytes * EVENTS_SHARE) // MIB * MIB
    share = f"of the container's {memory_bytes // MIB} MiB"
    return (
        _setting(
            "history.cacheSizeBasedLimit", value=True, unit="", reason="a count of entries bounds no memory"
        ),
        _setting("history.hostLevelCacheMaxSizeBytes", cache, "", f"{CACHE_SHARE:.0%} {share}"),
        _setting(
            "history.enableHostLevelEventsCache", value=True, unit="", reason="else 512 KiB for every shard"
        ),
        _setting("history.eventsHostLevelCacheMaxSizeBytes", events, "", f"{EVENTS_SHARE:.0%} {share}"),
        _setting("history.shutdownDrainDuration", 5, "s", "callers learn of the new owner first"),
        *_align(cluster, Role.HISTORY),
    )


def _matching(cluster: Cluster, memory_bytes: int) -> tuple[Setting, ...]:
    del memory_bytes
    return (
        _setting("matching.shutdownDrainDuration", 5, "s", "callers learn of the new owner first"),
        *_align(cluster, Role.MATCHING),
    )


def _worker(cluster: Cluster, memory_bytes: int) -> tuple[Setting, ...]:
    del cluster, memory_bytes
    return ()


def _align(cluster: Cluster, role: Role) -> tuple[Setting, ...]:
    """Join and leave at the same moment everywhere; a single host has nobody to agree with."""
    if len(cluster.with_role(role)) == 1:
        return ()
    reason = "all hosts change owners at the same moment"
    return (_setting(f"{role}.alignMembershipChange", 10, "s", reason),)
