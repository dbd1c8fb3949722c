"""From a goal to what it takes, from an inventory to what it carries: sums of measured coefficients.

Estimates for a first order of hosts; the cluster's own bench replaces the coefficients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.inventory import parameters
from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing.settings import GIB, MIB
from tempo_infra.sizing.temporal import FRONTEND_RPS, PERSISTENCE_QPS
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.sizing.coefficients import Coefficients
    from tempo_infra.sizing.settings import Setting, Settings

LEAST_SHARDS, MOST_SHARDS = 64, 16384
SERVER_SHARES: Mapping[Role, float] = {  # of the services' CPU; judgement from profiles of a single process
    Role.HISTORY: 0.55,
    Role.FRONTEND: 0.25,
    Role.MATCHING: 0.15,
    Role.WORKER: 0.05,
}
HOST_VCPU = 4  # of the hosts that a goal is expressed in
DEFAULT_FSYNC_MS = 1.0  # where none was measured: the limit of every class
REPLICAS = 3
CASSANDRA_VCPU = 8
DAY_S = 86_400
ENVELOPE_BYTES = 2000  # of a transition on the wire, beside its payload; judgement


@dataclass(frozen=True, slots=True)
class Load:
    """What one workflow is, and how unevenly they come."""

    activities: float = 2
    payload_bytes: int = 1024
    retention_h: int = 72
    peak_factor: float = 2.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the answer."""

    name: str
    value: float
    unit: str
    how: str  # the arithmetic, with the coefficients' names


@dataclass(frozen=True, slots=True)
class Limit:
    """How many workflows/s one resource carries, at the peak."""

    resource: str
    workflows_per_s: float
    how: str


def transitions(load: Load, c: Coefficients) -> float:
    """Return the state transitions of one workflow."""
    return c["transitions_base"] + c["transitions_per_activity"] * load.activities


def requests(load: Load, c: Coefficients) -> float:
    """Return the persistence requests of one workflow."""
    return c["requests_base"] + c["requests_per_activity"] * load.activities


def calls(load: Load, c: Coefficients) -> float:
    """Return the calls of the frontend that one workflow takes."""
    return c["calls_base"] + c["calls_per_activity"] * load.activities


def stored_bytes(load: Load, c: Coefficients) -> float:
    """Return what one closed workflow takes in the database until its retention ends."""
    events = 5 + 6 * load.activities
    payloads = (2 + 2 * load.activities) * load.payload_bytes
    return (c["workflow_bytes"] + events * c["event_bytes"] + payloads) * c["storage_factor"]


def wal_bytes(load: Load, c: Coefficients) -> float:
    """Return the WAL of one workflow: measured with small payloads, each payload written twice more."""
    return transitions(load, c) * c["wal_kb_per_transition"] * 1000 + 2 * (2 + 2 * load.activities) * max(
        load.payload_bytes - 1024, 0
    )


def write_s(fsync_ms: float, c: Coefficients) -> float:
    """Return how long a shard is busy with one transition, in seconds."""
    return (c["flushes_per_write"] * fsync_ms + c["statement_ms"]) / 1000


def needed(
    goal: float, load: Load, c: Coefficients, fsync_ms: float = DEFAULT_FSYNC_MS
) -> tuple[Figure, ...]:
    """Return what `goal` workflows/s on average take; hosts, shards and pools are for the peak."""
    peak = goal * load.peak_factor
    each, rate = transitions(load, c), transitions(load, c) * peak
    commits = rate * c["commits_per_transition"]
    database = rate * c["database_ms_per_transition"] / 1000 / c["cpu_share"]
    servers = rate * c["server_ms_per_transition"] / 1000 / c["cpu_share"]
    data = goal * stored_bytes(load, c) * load.retention_h * 3600
    wal = goal * wal_bytes(load, c)
    room = data / c["disk_share"] + 2 * _wal_room(wal * load.peak_factor)
    hosts = max(math.ceil(servers / HOST_VCPU), 1)
    shards = shards_for(rate, fsync_ms, c)
    at_work = math.ceil(rate * write_s(fsync_ms, c))
    enough_ms = 1000 * c["commits_per_flush"] / commits
    traffic = rate * (load.payload_bytes + ENVELOPE_BYTES) * 8 / 1e6
    return (
        Figure("state transitions", rate, "/s", f"{each:g} a workflow x {peak:g}/s at the peak"),
        Figure("persistence requests", requests(load, c) * peak, "/s", f"{requests(load, c):g} a workflow"),
        Figure("database CPU", database, "vCPU", "database_ms_per_transition / cpu_share"),
        Figure("Temporal CPU", servers, "vCPU", "server_ms_per_transition / cpu_share"),
        Figure("Temporal hosts", hosts, f"of {HOST_VCPU} vCPU", "rounded up"),
        Figure("shards", shards, "", f"a power of two for {c['growth']:g} x this, {fsync_ms:g} ms a flush"),
        Figure("connections at work", at_work, "", "transitions/s x time of a write"),
        Figure("fsync that suffices", enough_ms, "ms", "commits_per_flush / commits/s: group commit"),
        Figure("WAL", wal * DAY_S / GIB, "GiB a day", "wal_kb_per_transition, on average"),
        Figure("database", data / GIB, "GiB", f"kept for {load.retention_h} h, with indexes"),
        Figure("growth", goal * stored_bytes(load, c) * DAY_S / GIB, "GiB a day", "until the retention ends"),
        Figure("disk", room / GIB, "GiB", "database / disk_share + 2 x max_wal_size"),
        Figure("traffic to the database", traffic, "Mbit/s", "a transition carries a payload and 2 kB"),
    )


def shards_for(rate: float, fsync_ms: float, c: Coefficients) -> int:
    """Return a power of two of shards that keeps each one's share of busy time at this many transitions/s."""
    wanted = rate * c["growth"] * write_s(fsync_ms, c) / c["shard_busy_share"]
    return min(max(1 << math.ceil(math.log2(max(wanted, 1))), LEAST_SHARDS), MOST_SHARDS)


def which_store(goal: float, load: Load, c: Coefficients) -> tuple[str, tuple[Figure, ...]]:
    """Say which store carries the goal; where PostgreSQL no longer does, size Cassandra on paper."""
    peak = goal * load.peak_factor
    database = peak * transitions(load, c) * c["database_ms_per_transition"] / 1000 / c["cpu_share"]
    most = c["largest_database_vcpu"]
    ours = most * c["cpu_share"] * 1000 / c["database_ms_per_transition"] / transitions(load, c)
    sums = (
        f"one PostgreSQL of {most:g} vCPU ends at {ours:,.0f} workflows/s"
        f" (the article says {c['article_limit']:,.0f})"
    )
    if database <= c["largest_database_vcpu"] and peak <= c["article_limit"]:
        return f"PostgreSQL: {sums}", ()
    cores = peak * requests(load, c) / c["cassandra_requests_per_vcpu"]
    nodes = max(math.ceil(cores / CASSANDRA_VCPU), REPLICAS)
    data = goal * stored_bytes(load, c) * load.retention_h * 3600 * REPLICAS
    figures = (
        Figure(
            "Cassandra nodes", nodes, f"of {CASSANDRA_VCPU} vCPU", "cassandra_requests_per_vcpu; at least 3"
        ),
        Figure("disk a node", 2 * data / nodes / GIB, "GiB", "RF 3, and as much again for compaction"),
    )
    return f"not PostgreSQL: {sums}; on paper, Cassandra", figures


def carried(cluster: Cluster, settings: Settings, load: Load, c: Coefficients) -> tuple[Limit, ...]:
    """Return what each resource of an inventory carries, the tightest first; workflows/s at the peak."""
    found = (*_cpu(cluster, load, c), *_database(cluster, settings, load, c))
    return tuple(sorted(found, key=lambda limit: limit.workflows_per_s))


def fsync_ms(cluster: Cluster) -> tuple[float, str]:
    """Return the database host's flush latency, and where it comes from."""
    measured = store(cluster).writer.measured
    if measured and measured.fsync_p50_ms:
        return measured.fsync_p50_ms, f"measured {measured.date}"
    return DEFAULT_FSYNC_MS, "not measured, the class's limit"


def _cpu(cluster: Cluster, load: Load, c: Coefficients) -> Iterator[Limit]:
    for host in cluster.hosts:
        cost = _cpu_ms(cluster, host, c) * transitions(load, c)
        if cost:
            roles = ", ".join(host.roles)
            how = f"{host.resources.vcpu} vCPU x {c['cpu_share']:.0%} / {cost:.2f} ms for {roles}"
            yield Limit(f"CPU of {host.name}", host.resources.vcpu * c["cpu_share"] * 1000 / cost, how)


def _cpu_ms(cluster: Cluster, host: Host, c: Coefficients) -> float:
    """Return this host's CPU time of one transition: its share of each role."""
    services = sum(
        SERVER_SHARES[role] / len(cluster.with_role(role)) * c["server_ms_per_transition"]
        for role in host.temporal_roles
    )
    return services + c["database_ms_per_transition"] * host.has(Role.POSTGRESQL)


def _database(cluster: Cluster, settings: Settings, load: Load, c: Coefficients) -> Iterator[Limit]:
    host = store(cluster).writer
    each = transitions(load, c)
    latency, where = fsync_ms(cluster)
    flushes = c["commits_per_flush"] / (latency / 1000) / c["commits_per_transition"] / each
    yield Limit(
        f"flushes of {host.name}",
        flushes,
        f"{c['commits_per_flush']:g} commits a flush of {latency:g} ms ({where})",
    )
    busy = c["shard_busy_share"] / write_s(latency, c)
    yield Limit(
        "shards", settings.shards * busy / each, f"{settings.shards} shards x {busy:.0f} transitions/s"
    )
    pools = sum(
        s.max_conns for one in settings.hosts for role, s in one.temporal.items() if role is Role.HISTORY
    )
    yield Limit(
        "history's pools",
        pools / write_s(latency, c) / each,
        f"{pools} connections / time of a write",
    )
    limits = (
        ("history.persistenceMaxQPS", Role.HISTORY, PERSISTENCE_QPS[Role.HISTORY], requests(load, c)),
        ("frontend.rps", Role.FRONTEND, FRONTEND_RPS, calls(load, c)),
    )
    for name, role, default, one in limits:
        total = sum(
            _dynamic(h.temporal[role].dynamic, name, default) for h in settings.hosts if role in h.temporal
        )
        yield Limit(name, total / one, f"{total:,.0f}/s / {one:g} a workflow")
    room = host.resources.disk.size_bytes * c["disk_share"] - 2 * _max_wal(cluster, settings)
    kept = stored_bytes(load, c) * load.retention_h * 3600
    average = max(room, 0) / kept * load.peak_factor
    yield Limit(
        f"disk of {host.name}",
        average,
        f"{room / GIB:.0f} GiB / {kept / MIB:.1f} MiB a workflow/s for {load.retention_h} h",
    )


def _dynamic(settings: tuple[Setting, ...], name: str, default: float) -> float:
    return next((float(one.text) for one in settings if one.name == name), default)


def _max_wal(cluster: Cluster, settings: Settings) -> float:
    setting = settings.host(store(cluster).writer.name).setting("max_wal_size")
    return parameters.in_base(int(cluster.postgres.version), "max_wal_size", setting.text) if setting else 0.0


def _wal_room(wal_bytes_per_s: float) -> float:
    """Return max_wal_size for a checkpoint every 15 minutes: 512 MB to 16 GB."""
    return min(max(wal_bytes_per_s * 900, 512 * MIB), 16 * GIB)
