"""The rules that hold across files and hosts: each with its arithmetic, and what may be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import hugepages, parameters, postgres, temporal
from tempo_infra.sizing.breach import Breach
from tempo_infra.sizing.containers import SHARD_BYTES, memory_shares
from tempo_infra.sizing.overrides import effective
from tempo_infra.sizing.settings import MIB, HostSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tempo_infra.inventory.cluster import Cluster, Host

DISK_SHARE = 0.95  # of the WAL's disk
NOFILE_SHARE = 0.8
CLIENT_SOCKETS = 400  # peers, workers and clients of one service, beside its pools
DRAIN_SPARE_S = 10  # after draining: closing pools, the last writes
POLLER_SHARE = 0.8
NAMESPACE_COUNT = 1200  # long polls per namespace and frontend, the server's default
POSTGRESQL_VERSIONS = range(12, 19)  # what the plugin postgres12_pgx and our tables of parameters reach
TEMPORAL_VERSIONS = ((1, 30, 1), (2, 0, 0))  # environment variables and configuration keys as rendered here
EPHEMERAL = (32768, 60999)  # net.ipv4.ip_local_port_range of the kernel


@dataclass(frozen=True, slots=True)
class Budget:
    """One rule: `says` is its arithmetic, `why` what happens when it does not hold."""

    id: str
    says: str
    why: str
    check: Callable[[Cluster, Settings], Iterator[Breach]]


def broken(cluster: Cluster, settings: Settings) -> tuple[Breach, ...]:
    """Return every budget that does not hold, errors and warnings, in the order of the table."""
    return tuple(breach for budget in BUDGETS for breach in budget.check(cluster, settings))


def _number(settings: Settings, name: str, version: int) -> float:
    """Return a line of postgresql.conf in bytes, seconds or plain; without it, the server's default."""
    for host in settings.hosts:
        if found := host.setting(name):
            return parameters.in_base(version, name, found.text)
    return parameters.in_base(version, name, parameters.postgresql(version)[name].default)


def _connections(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    version = int(cluster.postgres.version)
    allowed = int(_number(settings, "max_connections", version))
    reserved = int(_number(settings, "superuser_reserved_connections", version))
    lines = []
    total = 0
    for host in settings.hosts:
        count = sum(one.connections for one in host.temporal.values())
        parts = [f"{role} {one.max_conns}+{one.visibility_max_conns}" for role, one in host.temporal.items()]
        lines += [(f"{host.host}: {', '.join(parts)}", str(count))] * bool(count)
        total += count
    wanted = total + postgres.TOOLS + reserved
    if wanted <= allowed:
        return
    database = cluster.database_host
    own = effective(cluster, database, "postgresql").get("max_connections")
    place = f" (override, {cluster.place(*own.loc)})" if own else ""
    lines += [
        (f"tools {postgres.TOOLS}, reserved {reserved}", str(postgres.TOOLS + reserved)),
        ("wanted", str(wanted)),
        (f"max_connections{place}", str(allowed)),
    ]
    levers = (
        "postgresql.max_connections",
        "postgresql.superuser_reserved_connections",
        *_pool_levers(cluster),
    )
    yield Breach("connections", database.name, str(wanted - allowed), tuple(lines), levers)


def _pool_levers(cluster: Cluster) -> tuple[str, ...]:
    names = {name for host in cluster.hosts for name in effective(cluster, host, "pools")}
    return tuple(f"pools.{name}" for name in sorted(names))


def _memory(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    for host, sized in _pairs(cluster, settings):
        reserved = hugepages.reserved_bytes(sized.sysctl)
        given = [(one.name, one.memory_bytes) for one in sized.containers]
        wanted = sized.os_reserve_bytes + reserved + sum(size for _, size in given)
        if wanted > host.resources.memory_bytes:
            parts = ", ".join(f"{name} {size // MIB}" for name, size in given)
            huge = f", huge pages {reserved // MIB}" if reserved else ""
            yield Breach(
                "memory",
                host.name,
                _mib(wanted - host.resources.memory_bytes),
                (
                    (f"operating system {sized.os_reserve_bytes // MIB}{huge}, {parts}", _mib(wanted)),
                    (
                        f"the host has ({cluster.place('hosts', host.name, 'resources', 'memory')})",
                        _mib(host.resources.memory_bytes),
                    ),
                ),
                ("sysctl.vm.nr_hugepages", "host-memory", *(f"memory.{name}" for name, _ in given)),
            )


def _database_memory(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    version, host = int(cluster.postgres.version), cluster.database_host
    limit = memory_shares(cluster, host)[Role.POSTGRESQL]
    connections = int(_number(settings, "max_connections", version))
    workers = int(_number(settings, "autovacuum_max_workers", version))
    maintenance = int(_number(settings, "maintenance_work_mem", version))
    own_vacuum = int(_number(settings, "autovacuum_work_mem", version))
    vacuum = own_vacuum if own_vacuum > 0 else maintenance
    work = int(_number(settings, "work_mem", version))
    sorting = connections // postgres.BUSY_SHARE
    parts = (
        (
            "shared_buffers and what goes with them",
            int(_number(settings, "shared_buffers", version) * postgres.SHARED_OVERHEAD),
        ),
        (
            f"{connections} backends x {postgres.BACKEND_BYTES // MIB} MiB",
            connections * postgres.BACKEND_BYTES,
        ),
        (f"{sorting} of them sort in work_mem {work // MIB} MiB", sorting * work),
        ("maintenance_work_mem", maintenance),
        (f"{workers} autovacuum workers x {vacuum // MIB} MiB", workers * vacuum),
    )
    wanted = sum(size for _, size in parts)
    if wanted <= limit:
        return
    lines = [(label, _mib(size)) for label, size in parts]
    lines += [("wanted", _mib(wanted)), ("PostgreSQL's share of the host", _mib(limit))]
    names = "shared_buffers max_connections work_mem maintenance_work_mem autovacuum_work_mem"
    levers = (*(f"postgresql.{name}" for name in names.split()), "memory.postgresql", "host-memory")
    yield Breach(
        "database-memory", host.name, _mib(wanted - limit), tuple(lines), (*levers, *_pool_levers(cluster))
    )


def _descriptors(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    allowed = int(cluster.nofile * NOFILE_SHARE)
    place = cluster.place("limits", "nofile")
    for host, sized in _pairs(cluster, settings):
        for role, one in sized.temporal.items():
            wanted = one.connections + CLIENT_SOCKETS
            if wanted > allowed:
                yield Breach(
                    "file-descriptors",
                    host.name,
                    str(wanted - allowed),
                    (
                        (f"{role}: pools {one.connections}, clients and peers {CLIENT_SOCKETS}", str(wanted)),
                        (
                            f"{NOFILE_SHARE:.0%} of limits.nofile {cluster.nofile} ({place})",
                            str(allowed),
                        ),
                    ),
                    ("nofile", f"pools.{role}"),
                )


def _wal_disk(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    version, host = int(cluster.postgres.version), cluster.database_host
    largest = int(_number(settings, "max_wal_size", version))
    least = int(_number(settings, "min_wal_size", version))
    disk = host.resources.disk.size_bytes
    allowed = int(disk * DISK_SHARE)
    levers = ("postgresql.max_wal_size", "postgresql.min_wal_size", "host-disk")
    place = cluster.place("hosts", host.name, "resources", "disk", "size")
    if 2 * largest + least > allowed:
        lines = (
            (f"2 x max_wal_size {largest // MIB} + min_wal_size {least // MIB}", _mib(2 * largest + least)),
            (
                f"{DISK_SHARE:.0%} of the disk ({place})",
                _mib(allowed),
            ),
        )
        yield Breach("wal-disk", host.name, _mib(2 * largest + least - allowed), lines, levers)
    if least > largest:
        lines = (("min_wal_size", _mib(least)), ("max_wal_size", _mib(largest)))
        yield Breach("wal-sizes", host.name, _mib(least - largest), lines, levers)


def _persistence(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    allowed = temporal.QPS_HEADROOM * temporal.database_requests(cluster)
    lines, total = [], 0
    for host in settings.hosts:
        for role, one in host.temporal.items():
            own = next((s for s in one.dynamic if s.name == f"{role}.persistenceMaxQPS"), None)
            count = int(float(own.text)) if own else temporal.PERSISTENCE_QPS[role]
            lines.append((f"{host.host}: {role}", f"{count}/s"))
            total += count
    floor = 2 * temporal.QPS_STEP * len(lines)  # the least that each one gets
    if total <= max(allowed, floor):
        return
    database = cluster.database_host
    carries = f"{temporal.QPS_HEADROOM} x {database.resources.vcpu} vCPU x {temporal.REQUESTS_PER_VCPU}/s"
    lines += [("wanted", f"{total}/s"), (f"{database.name}: {carries}", f"{allowed}/s")]
    levers = tuple(f"temporal.{role}.persistenceMaxQPS" for role in temporal.PERSISTENCE_QPS)
    yield Breach("persistence-qps", database.name, f"{total - allowed}/s", tuple(lines), levers, warning=True)


def _shards(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    shards = temporal.shards_on_one(cluster)
    for host, sized in _pairs(cluster, settings):
        if Role.HISTORY not in sized.temporal:
            continue
        values = {one.name: one.value for one in sized.temporal[Role.HISTORY].dynamic}
        cache = int(float(values["history.hostLevelCacheMaxSizeBytes"]))
        events = int(float(values["history.eventsHostLevelCacheMaxSizeBytes"]))
        wanted = temporal.HISTORY_BASE_BYTES + shards * SHARD_BYTES + cache + events
        limit = sized.container(Role.HISTORY).memory_bytes
        if wanted > limit:
            lines = (
                ("the process", _mib(temporal.HISTORY_BASE_BYTES)),
                (f"{shards} shards x {SHARD_BYTES // 1024} KiB", _mib(shards * SHARD_BYTES)),
                ("caches of workflows and of events", _mib(cache + events)),
                ("history's container", _mib(limit)),
            )
            levers = (
                "memory.history",
                "temporal.history.hostLevelCacheMaxSizeBytes",
                "temporal.history.eventsHostLevelCacheMaxSizeBytes",
                "shards",
                "host-memory",
            )
            yield Breach("shards", host.name, _mib(wanted - limit), lines, levers)


def _pollers(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    wanted = cluster.temporal.pollers
    if wanted is None:
        return
    allowed, lines = 0, []
    for host in settings.hosts:
        if Role.FRONTEND in host.temporal:
            values = {one.name: one.value for one in host.temporal[Role.FRONTEND].dynamic}
            count = int(float(values.get("frontend.namespaceCount", NAMESPACE_COUNT)))
            lines.append(
                (
                    f"{host.host}: {POLLER_SHARE:.0%} of frontend.namespaceCount {count}",
                    str(int(POLLER_SHARE * count)),
                )
            )
            allowed += int(POLLER_SHARE * count)
    if wanted > allowed:
        lines.append((f"wanted ({cluster.place('temporal', 'pollers')})", str(wanted)))
        levers = ("temporal.frontend.namespaceCount", "pollers")
        yield Breach(
            "pollers", cluster.with_role(Role.FRONTEND)[0].name, str(wanted - allowed), tuple(lines), levers
        )


def _ports(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    for host, sized in _pairs(cluster, settings):
        ports = [port for role in host.temporal_roles for port in temporal.PORTS[role].all]
        ports += [temporal.POSTGRESQL_PORT] * host.has(Role.POSTGRESQL) + [temporal.UI_PORT] * host.has(
            Role.UI
        )
        own = next((one for one in sized.sysctl if one.name == "net.ipv4.ip_local_port_range"), None)
        low, high = map(int, own.text.split()) if own else EPHEMERAL
        taken = sorted(port for port in ports if low <= port <= high)
        if taken or len(set(ports)) < len(ports):
            lines = (
                ("ports of its services", ", ".join(map(str, sorted(ports)))),
                ("given to outgoing connections by the kernel", f"{low} to {high}"),
            )
            yield Breach(
                "ports", host.name, f"{len(taken)} ports", lines, ("sysctl.net.ipv4.ip_local_port_range",)
            )


def _drain(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    for host, sized in _pairs(cluster, settings):
        for role, one in sized.temporal.items():
            name = f"{role}.shutdownDrainDuration"
            drain = next((parameters.duration_s(s.text) for s in one.dynamic if s.name == name), 0.0)
            grace = sized.container(role).stop_grace_s
            if drain + DRAIN_SPARE_S > grace:
                lines = (
                    (f"{name} {drain:.0f} s + {DRAIN_SPARE_S} s to end", f"{drain + DRAIN_SPARE_S:.0f} s"),
                    ("stop_grace_period, after which it is killed", f"{grace} s"),
                )
                yield Breach(
                    "drain", host.name, f"{drain + DRAIN_SPARE_S - grace:.0f} s", lines, (f"temporal.{name}",)
                )


def _versions(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    del settings
    server = tuple(int(part) for part in cluster.temporal.version.split("."))
    least, below = TEMPORAL_VERSIONS
    major = int(cluster.postgres.version)
    lines = (
        (f"Temporal ({cluster.place('temporal', 'version')})", cluster.temporal.version),
        (f"PostgreSQL ({cluster.place('postgres', 'version')})", cluster.postgres.version),
        ("known to work", f"Temporal 1.30.1 and newer, schema v12, {temporal.PLUGIN}, PostgreSQL 12 to 18"),
    )
    if not least <= server < below or major not in POSTGRESQL_VERSIONS:
        yield Breach("versions", cluster.database_host.name, "a version", lines)


def _pairs(cluster: Cluster, settings: Settings) -> Iterator[tuple[Host, HostSettings]]:
    return zip(cluster.hosts, settings.hosts, strict=True)


def _mib(size: int) -> str:
    return f"{-(-size // MIB)} MiB"


BUDGETS: tuple[Budget, ...] = (
    Budget(
        "connections",
        "sum over hosts and services of maxConns + visibility's maxConns, + tools 10 + reserved"
        " <= max_connections",
        "services are refused by the database just when all are busy",
        _connections,
    ),
    Budget(
        "memory",
        "operating system + huge pages + limits of all containers <= memory of the host",
        "the kernel kills what it likes",
        _memory,
    ),
    Budget(
        "database-memory",
        "1.05 shared_buffers + connections x 2 MiB + an eighth of them x work_mem + maintenance_work_mem"
        " + autovacuum workers x autovacuum_work_mem <= PostgreSQL's share; the rest is page cache",
        "a backend is killed for memory, and with it every connection",
        _database_memory,
    ),
    Budget(
        "file-descriptors",
        "a service's pools + 400 for clients and peers <= 80 % of limits.nofile",
        "accept() fails, and workers wait without a word",
        _descriptors,
    ),
    Budget(
        "wal-disk",
        "2 x max_wal_size + min_wal_size <= 95 % of the disk; min_wal_size <= max_wal_size (wal-sizes)",
        "PostgreSQL stops when its log has no room",
        _wal_disk,
    ),
    Budget(
        "persistence-qps",
        "sum over hosts of persistenceMaxQPS <= 4 x vCPU of the database host x 2000/s; a warning",
        "a flood reaches the database before a limit stops it",
        _persistence,
    ),
    Budget(
        "shards",
        "64 MiB + shards of a host while another is down x 256 KiB + its caches <= history's container",
        "history is killed for memory when it takes over shards",
        _shards,
    ),
    Budget(
        "pollers",
        "temporal.pollers <= 80 % of frontend.namespaceCount x frontends, where the inventory says pollers",
        "polls are refused and tasks wait",
        _pollers,
    ),
    Budget(
        "ports",
        "no port of a service lies in the range that the kernel gives to outgoing connections",
        "a service can't start, because somebody's connection has its port",
        _ports,
    ),
    Budget(
        "drain",
        "shutdownDrainDuration + 10 s <= stop_grace_period",
        "a service is killed while it hands over its work",
        _drain,
    ),
    Budget(
        "versions",
        "Temporal 1.30.1 and newer, schema v12 with the plugin postgres12_pgx, PostgreSQL 12 to 18",
        "the server does not start, or reads none of its configuration",
        _versions,
    ),
)
