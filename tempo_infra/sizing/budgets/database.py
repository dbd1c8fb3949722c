"""Budgets of the database host: connections, memory, the log's disk, what all services may send to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import postgres, temporal
from tempo_infra.sizing.breach import Breach
from tempo_infra.sizing.budgets.rule import dynamic, line, mib, pool_levers, rule
from tempo_infra.sizing.containers import memory_shares
from tempo_infra.sizing.overrides import effective
from tempo_infra.sizing.settings import MIB
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing.settings import Settings

DISK_SHARE = 0.95  # of the disk that the log lies on
MEMORY = ("shared_buffers", "max_connections", "work_mem", "maintenance_work_mem", "autovacuum_work_mem")


@rule(
    "connections",
    says=(
        "sum over hosts and services of maxConns + visibility's maxConns, + tools 10 + reserved"
        " <= max_connections"
    ),
    why="services are refused by the database just when all are busy",
)
def connections(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    allowed = line(cluster, settings, "max_connections")
    reserved = line(cluster, settings, "superuser_reserved_connections")
    lines, total = [], 0
    for host in settings.hosts:
        count = sum(one.connections for one in host.temporal.values())
        parts = [f"{role} {one.max_conns}+{one.visibility_max_conns}" for role, one in host.temporal.items()]
        lines += [(f"{host.host}: {', '.join(parts)}", str(count))] * bool(count)
        total += count
    wanted = total + postgres.TOOLS + reserved
    if wanted <= allowed:
        return
    database = store(cluster).writer
    own = effective(cluster, database, "postgresql").get("max_connections")
    place = f" (override, {cluster.place(*own.loc)})" if own else ""
    lines += [
        (f"tools {postgres.TOOLS}, reserved {reserved}", str(postgres.TOOLS + reserved)),
        ("wanted", str(wanted)),
        (f"max_connections{place}", str(allowed)),
    ]
    own_lines = ("postgresql.max_connections", "postgresql.superuser_reserved_connections")
    levers = (*own_lines, *pool_levers(cluster))
    yield Breach("connections", database.name, str(wanted - allowed), tuple(lines), levers)


@rule(
    "database-memory",
    says=(
        "1.05 shared_buffers + connections x 2 MiB + an eighth of them x work_mem + maintenance_work_mem"
        " + autovacuum workers x autovacuum_work_mem + a sixteenth for the page cache <= PostgreSQL's share"
    ),
    why="a backend is killed for memory, and with it every connection",
)
def memory(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    host = store(cluster).writer
    limit = memory_shares(cluster, host)[Role.POSTGRESQL]
    clients = line(cluster, settings, "max_connections")
    workers = line(cluster, settings, "autovacuum_max_workers")
    maintenance = line(cluster, settings, "maintenance_work_mem")
    own_vacuum = line(cluster, settings, "autovacuum_work_mem")
    vacuum = own_vacuum if own_vacuum > 0 else maintenance
    work, sorting = line(cluster, settings, "work_mem"), clients // postgres.BUSY_SHARE
    buffers = int(line(cluster, settings, "shared_buffers") * postgres.SHARED_OVERHEAD)
    parts = (
        ("shared_buffers and what goes with them", buffers),
        (f"{clients} backends x {postgres.BACKEND_BYTES // MIB} MiB", clients * postgres.BACKEND_BYTES),
        (f"{sorting} of them sort in work_mem {work // MIB} MiB", sorting * work),
        ("maintenance_work_mem", maintenance),
        (f"{workers} autovacuum workers x {vacuum // MIB} MiB", workers * vacuum),
        ("page cache, at least", postgres.page_cache_bytes(limit)),
    )
    wanted = sum(size for _, size in parts)
    if wanted <= limit:
        return
    lines = [(label, mib(size)) for label, size in parts]
    place = cluster.place("hosts", host.name, "resources", "memory")
    lines += [("wanted", mib(wanted)), (f"PostgreSQL's share of the host ({place})", mib(limit))]
    own_lines = tuple(f"postgresql.{name}" for name in MEMORY)
    levers = (*own_lines, "memory.postgresql", "host-memory", *pool_levers(cluster))
    yield Breach("database-memory", host.name, mib(wanted - limit), tuple(lines), levers)


@rule(
    "wal-disk",
    says="2 x max_wal_size + min_wal_size + wal_keep_size <= 95 % of the disk",
    why="PostgreSQL stops when its log has no room",
)
def wal_disk(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    host = store(cluster).writer
    largest, least = line(cluster, settings, "max_wal_size"), line(cluster, settings, "min_wal_size")
    kept = line(cluster, settings, "wal_keep_size")
    wanted, allowed = 2 * largest + least + kept, int(host.resources.disk.size_bytes * DISK_SHARE)
    if wanted > allowed:
        place = cluster.place("hosts", host.name, "resources", "disk", "size")
        parts = f"2 x max_wal_size {largest // MIB} + min_wal_size {least // MIB}"
        lines = (
            (f"{parts} + wal_keep_size {kept // MIB}" if kept else parts, mib(wanted)),
            (f"{DISK_SHARE:.0%} of the disk ({place})", mib(allowed)),
        )
        levers = (
            "postgresql.max_wal_size",
            "postgresql.min_wal_size",
            "postgresql.wal_keep_size",
            "host-disk",
        )
        yield Breach("wal-disk", host.name, mib(wanted - allowed), lines, levers)


@rule(
    "wal-sizes", says="min_wal_size <= max_wal_size", why="the server starts, and keeps more log than asked"
)
def wal_sizes(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    largest, least = line(cluster, settings, "max_wal_size"), line(cluster, settings, "min_wal_size")
    if least > largest:
        lines = (("min_wal_size", mib(least)), ("max_wal_size", mib(largest)))
        levers = ("postgresql.max_wal_size", "postgresql.min_wal_size")
        yield Breach("wal-sizes", store(cluster).writer.name, mib(least - largest), lines, levers)


@rule(
    "persistence-qps",
    says="sum over hosts of persistenceMaxQPS <= 4 x vCPU of the database host x 2000/s; a warning",
    why="a flood reaches the database before a limit stops it",
)
def persistence(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    allowed = temporal.QPS_HEADROOM * temporal.database_requests(cluster)
    lines, total = [], 0
    for host in settings.hosts:
        for role, one in host.temporal.items():
            default = temporal.PERSISTENCE_QPS[role]
            count = int(dynamic(one.dynamic, f"{role}.persistenceMaxQPS", default))
            lines.append((f"{host.host}: {role}", f"{count}/s"))
            total += count
    floor = 2 * temporal.QPS_STEP * len(lines)  # the least that each one gets
    if total <= max(allowed, floor):
        return
    database = store(cluster).writer
    place = cluster.place("hosts", database.name, "resources", "vcpu")
    carries = f"{temporal.QPS_HEADROOM} x {database.resources.vcpu} vCPU x {temporal.REQUESTS_PER_VCPU}/s"
    lines += [("wanted", f"{total}/s"), (f"{database.name}: {carries} ({place})", f"{allowed}/s")]
    levers = tuple(f"temporal.{role}.persistenceMaxQPS" for role in temporal.PERSISTENCE_QPS)
    yield Breach("persistence-qps", database.name, f"{total - allowed}/s", tuple(lines), levers, warning=True)
