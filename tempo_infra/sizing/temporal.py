"""Temporal: ports, pools and dynamic configuration of each service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.inventory import dynamic_config
from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing.containers import SHARD_BYTES
from tempo_infra.sizing.overrides import Override, effective, put_in
from tempo_infra.sizing.settings import MIB, Setting, TemporalSettings, Value
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster, Host

CONSTANTS = "common/dynamicconfig/constants.go of the server"
PGX_ISSUE = "https://github.com/temporalio/temporal/issues/12097"
PLUGIN = "postgres12_pgx"
PARTITION_VCPU = 8  # below so many vCPUs for matching, one partition a task queue is faster
CACHE_SHARE = 0.35  # of the history container's memory
EVENTS_SHARE = 0.12
HISTORY_BASE_BYTES = 64 * MIB  # of the process, without shards and caches
REQUESTS_PER_VCPU = 2000  # persistence requests/s; measured 0.4 to 0.5 ms of PostgreSQL's CPU each, with pgx
SHARDS_PER_VCPU = 32  # measured: 64 on two vCPUs kept them busy at 5 ms a flush, where 4 left half idle
QPS_HEADROOM = 4  # limits guard against floods; a limit near the capacity would slow what still works
QPS_STEP = 50
FRONTEND_RPS = (
    2400  # calls/s; a vCPU does about 2900: 0.4 ms of a transition are the frontend's, of 1.15 calls
)
NAMESPACE_COUNT = 1200  # frontend.namespaceCount: long polls per namespace and frontend, the server's default
POLLER_SHARE = 0.8  # of them: the rest is for a worker that starts again before its old polls end
PERSISTENCE_QPS: Mapping[Role, int] = {  # the server's defaults, per host
    Role.FRONTEND: 2000,
    Role.HISTORY: 9000,
    Role.MATCHING: 3000,
    Role.WORKER: 500,
}
NOTES: Mapping[str, str] = {
    "system.enableActivityEagerExecution": (
        "saves two of eleven state transitions (+15 to 24 % workflows/s) where workflow and activities share"
        " a queue and a worker; such activities bypass rate limits and partitions of the task queue"
    ),
    "matching.numTaskqueueReadPartitions": "set it together with numTaskqueueWritePartitions",
    "history.shardIOConcurrency": "more than 1 only with SQL",
}


def temporal(
    cluster: Cluster, host: Host, memory: Mapping[str, int], mains: Mapping[tuple[str, Role], int], pool: int
) -> dict[Role, TemporalSettings]:
    """Return the settings of a host's Temporal services.

    `memory` is bytes by container, `mains` maxConns of the main stores, `pool` that of each visibility store.
    """
    overrides = effective(cluster, host, "temporal")
    return {
        role: TemporalSettings(
            role=role,
            max_conns=mains[host.name, role],
            visibility_max_conns=pool,
            plugin=plugin(),
            written=_place_of_pool(cluster, host, role),
            dynamic=_with_notes(
                put_in(
                    cluster,
                    (*_everywhere(cluster), *_own(cluster, host, role, memory[role])),
                    _of_role(cluster, overrides, role),
                    CONSTANTS,
                )
            ),
        )
        for role in host.temporal_roles
    }


def shard_setting(cluster: Cluster) -> Setting:
    """Return numHistoryShards with what to weigh: it can't be changed once the cluster has started."""
    shards, hosts = cluster.temporal.shards, len(cluster.with_role(Role.HISTORY))
    held = shards_on_one(cluster) * SHARD_BYTES // MIB
    vcpu = sum(host.resources.vcpu for host in cluster.with_role(Role.HISTORY))
    reason = (
        f"temporal.shards: {_room(shards, vcpu * SHARDS_PER_VCPU)} today's {vcpu} vCPU of history at"
        f" {SHARDS_PER_VCPU} each; a host may hold {shards_on_one(cluster)}, {held} MiB"
    )
    note = (
        "fixed at the first start. Too few lose most of the throughput on a slow disk; more than today's host"
        " needs cost it memory and some CPU, and are room to grow: weigh it against the largest it may become"
    )
    return Setting(
        "numHistoryShards",
        shards,
        "",
        reason,
        "docs/decisions/0001-fixed-at-first-start.md",
        f"{hosts} history hosts" if hosts > 1 else "1 history host",
        (("article", "4"), ("Helm chart", "512")),
        cluster.place("temporal", "shards"),
        note,
        required=True,
    )


def _room(shards: int, busy: int) -> str:
    """Say how often today's vCPUs, which so many shards keep busy, go into what the cluster may ever have."""
    return f"{shards / busy:.3g} x what is needed for" if shards >= busy else f"too few (under {busy}) for"


def _place_of_pool(cluster: Cluster, host: Host, role: Role) -> str:
    own = effective(cluster, host, "pools").get(role.value)
    return cluster.place(*own.loc) if own else ""


def _of_role(cluster: Cluster, overrides: Mapping[str, Override], role: Role) -> dict[str, Override]:
    """Return what this role reads, whatever the key's first word; a change must not restart the others."""
    version = cluster.temporal.version
    return {name: one for name, one in overrides.items() if role in dynamic_config.key(version, name).readers}


def _with_notes(settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    return tuple(replace(one, note=NOTES.get(one.name, "")) for one in settings)


def database_requests(cluster: Cluster) -> int:
    """Return how many persistence requests/s the database host is taken to carry."""
    return store(cluster).writer.resources.vcpu * REQUESTS_PER_VCPU


def _persistence_qps(cluster: Cluster, role: Role) -> tuple[Setting, ...]:
    """Lower the server's limits in proportion where all hosts together could flood the database."""
    total = sum(PERSISTENCE_QPS[role] for host in cluster.hosts for role in host.temporal_roles)
    allowed = QPS_HEADROOM * database_requests(cluster)
    if total <= allowed:
        return ()
    own = max(PERSISTENCE_QPS[role] * allowed // total // QPS_STEP * QPS_STEP, 2 * QPS_STEP)
    reason = f"{total}/s of all hosts would be more than {QPS_HEADROOM} x what the database carries"
    inputs = (
        f"{store(cluster).writer.name}: {store(cluster).writer.resources.vcpu} vCPU x {REQUESTS_PER_VCPU}/s"
    )
    return (Setting(f"{role}.persistenceMaxQPS", own, "", reason, CONSTANTS, inputs),)


def plan_guard() -> Setting:
    """Return what keeps a generic plan from reading every retained run of a workflow id; applied by SQL.

    As long as the planner takes workflow ids for rare, finding a run by its id looks no cheaper to it than
    reading all runs of the workflow. Told that they are all the same, it uses the whole key.
    """
    reason = "pgx prepares its statements: a generic plan must look a run up by its whole key"
    others = (("server default", "estimated"),)
    note = "instead of plan_cache_mode = force_custom_plan, which plans each statement again"
    name = "executions.workflow_id.n_distinct"
    return Setting(name, 1, "", reason, PGX_ISSUE, instead=others, note=note)


def plugin() -> Setting:
    """Return the driver of both stores."""
    reason = "prepares its statements: 45 instead of 76 transactions a workflow, 40 % less PostgreSQL CPU"
    others = (("article", "postgres (lib/pq)"), ("Helm chart", "postgres12 (lib/pq)"))
    note = "needs executions.workflow_id.n_distinct, or a prepared plan may read every run of a workflow id"
    return Setting("pluginName", PLUGIN, "", reason, PGX_ISSUE, instead=others, note=note)


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


def _own(cluster: Cluster, host: Host, role: Role, memory_bytes: int) -> tuple[Setting, ...]:
    own: tuple[Setting, ...] = ()
    if role is Role.FRONTEND:
        own = _frontend(host)
    elif role is Role.HISTORY:
        own = _history(cluster, memory_bytes)
    elif role is Role.MATCHING:
        own = _matching(cluster)
    return (*own, *_persistence_qps(cluster, role))


def _frontend(host: Host) -> tuple[Setting, ...]:
    """Let CPU and database decide: the server's limits of calls are about what one vCPU does."""
    rps, inputs = FRONTEND_RPS * host.resources.vcpu, f"{host.name}: {host.resources.vcpu} vCPU"
    of_host = f"{FRONTEND_RPS} a vCPU, which the server's default for a whole frontend nearly fills"
    return (
        Setting("frontend.rps", rps, "", of_host, CONSTANTS, inputs),
        Setting("frontend.namespaceRPS", rps, "", "one namespace may use all of it", CONSTANTS, inputs),
        _setting("frontend.enableServerVersionCheck", value=False, unit="", reason="no calls home"),
        _setting("frontend.shutdownDrainDuration", 5, "s", "running calls end before the process does"),
        _setting(
            "frontend.namespaceRPS.visibility", 50, "", "lists and counts of the UI; 10 is one busy person"
        ),
    )


def shards_on_one(cluster: Cluster) -> int:
    """Return how many shards a history host may have to hold: with several hosts, while one is down."""
    return cluster.temporal.shards // max(len(cluster.with_role(Role.HISTORY)) - 1, 1)


def _history(cluster: Cluster, memory_bytes: int) -> tuple[Setting, ...]:
    share = f"of the container's {memory_bytes // MIB} MiB"
    wanted = memory_bytes * (CACHE_SHARE + EVENTS_SHARE)
    room = memory_bytes - HISTORY_BASE_BYTES - shards_on_one(cluster) * SHARD_BYTES
    squeeze = min(1.0, max(room, 16 * MIB) / wanted)
    cache = int(memory_bytes * CACHE_SHARE * squeeze) // MIB * MIB
    events = int(memory_bytes * EVENTS_SHARE * squeeze) // MIB * MIB
    if squeeze < 1:
        share = f"{share}, less as its shards need room"
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
        _setting(
            "history.acquireShardInterval", 15, "s", "a host that loses a race at its start serves by then"
        ),
        *_align(cluster, Role.HISTORY),
    )


def _matching(cluster: Cluster) -> tuple[Setting, ...]:
    return (
        _setting("matching.shutdownDrainDuration", 5, "s", "callers learn of the new owner first"),
        *_align(cluster, Role.MATCHING),
    )


def _align(cluster: Cluster, role: Role) -> tuple[Setting, ...]:
    """Join and leave at the same moment everywhere; a single host has nobody to agree with."""
    if len(cluster.with_role(role)) == 1:
        return ()
    reason = "all hosts change owners at the same moment"
    return (_setting(f"{role}.alignMembershipChange", 10, "s", reason),)
