"""PostgreSQL: from its share of the host to postgresql.conf. Sizes in the file are MB = MiB."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.sizing import parameters
from tempo_infra.sizing.breach import Breach, OverBudgetError
from tempo_infra.sizing.overrides import effective
from tempo_infra.sizing.settings import GIB, MIB, Setting

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster, Host, Resources

TOOLS = 10  # schema job, psql, an exporter, a person in trouble
RESERVED = 3  # superuser_reserved_connections
POOL_VISIBILITY = 10  # the upstream default; the main store's pool is twice that. More measured no gain
POOL_FLOOR = 4
BACKEND_BYTES = 2 * MIB  # private memory of a connection: catalogue and statement caches
BUSY_SHARE = 8  # one connection in so many sorts at the same moment
PAGE_CACHE_SHARE = 16  # one sixteenth stays for pages of the log and of files that are just being read
SHARED_OVERHEAD = 1.05  # shared memory beside shared_buffers: locks, WAL buffers, connection slots
SHARED_BUFFERS_CAP = 16 * GIB
HUGE_PAGES_FROM = 8 * GIB

MANUAL = "https://www.postgresql.org/docs/current/runtime-config.html"
DURABLE = "Temporal takes an acknowledged write for durable"
SOLID = frozenset({"nvme", "ssd"})


def shared_buffers_bytes(limit_bytes: int) -> int:
    """Return a quarter of the container's memory, in steps of 8 MiB."""
    return min(limit_bytes // 4 // (8 * MIB) * (8 * MIB), SHARED_BUFFERS_CAP)


def work_mem_bytes(limit_bytes: int) -> int:
    return (4 if limit_bytes < 4 * GIB else 8) * MIB


def maintenance_bytes(limit_bytes: int) -> int:
    return min(limit_bytes // 16 // MIB * MIB, 2 * GIB)


def autovacuum_bytes(limit_bytes: int) -> int:
    return min(limit_bytes // 32 // MIB * MIB, 512 * MIB)


def autovacuum_workers(vcpu: int) -> int:
    return 3 if vcpu < 4 else 4  # noqa: PLR2004  # the server's default below four vCPUs


def memory_wanted_bytes(limit_bytes: int, vcpu: int, connections: int) -> int:
    """Return what PostgreSQL takes when all connections are open and one in eight sorts."""
    shared = int(shared_buffers_bytes(limit_bytes) * SHARED_OVERHEAD)
    backends = connections * BACKEND_BYTES + connections // BUSY_SHARE * work_mem_bytes(limit_bytes)
    vacuum = autovacuum_workers(vcpu) * autovacuum_bytes(limit_bytes)
    kept = page_cache_bytes(limit_bytes)
    return shared + backends + maintenance_bytes(limit_bytes) + vacuum + kept


def page_cache_bytes(limit_bytes: int) -> int:
    """Return what the container must leave to the kernel's cache of files."""
    return limit_bytes // PAGE_CACHE_SHARE


def visibility_pool(cluster: Cluster, limit_bytes: int, vcpu: int) -> int:
    """Return the largest visibility pool (the main pool is twice that) that the database's memory carries.

    InputError when not even the smallest fits.
    """
    for pool in range(POOL_VISIBILITY, POOL_FLOOR - 1, -1):
        if memory_wanted_bytes(limit_bytes, vcpu, connections_needed(cluster, pool)) <= limit_bytes:
            return pool
    count = connections_needed(cluster, POOL_FLOOR)
    wanted = memory_wanted_bytes(limit_bytes, vcpu, count)
    place = cluster.place("hosts", cluster.database_host.name, "resources", "memory")
    raise OverBudgetError(
        Breach(
            budget="database-memory",
            host=cluster.database_host.name,
            over=f"{(wanted - limit_bytes) // MIB + 1} MiB",
            lines=(
                (
                    f"{service_count(cluster)} Temporal services with the smallest pools, and tools",
                    str(count),
                ),
                (f"{count} connections need", f"{wanted // MIB} MiB"),
                (f"PostgreSQL's share of the host ({place})", f"{limit_bytes // MIB} MiB"),
            ),
            levers=("memory.postgresql", "host-memory", *(f"pools.{role}" for role in TEMPORAL_ROLES)),
        )
    )


def service_count(cluster: Cluster) -> int:
    return sum(host.has(role) for host in cluster.hosts for role in TEMPORAL_ROLES)


def pools(cluster: Cluster, visibility_pool: int) -> dict[tuple[str, Role], int]:
    """Return maxConns of the main store by host and role; the operator's where there is one."""
    return {
        (host.name, role): _own_pool(cluster, host, role) or 2 * visibility_pool
        for host in cluster.hosts
        for role in host.temporal_roles
    }


def _own_pool(cluster: Cluster, host: Host, role: Role) -> int:
    found = effective(cluster, host, "pools").get(role.value)
    return int(found.value) if found else 0


def connections_needed(cluster: Cluster, visibility_pool: int) -> int:
    """Return max_connections: every pool full, the tools, the reserve; rounded up to ten."""
    mains = pools(cluster, visibility_pool)
    wanted = sum(mains.values()) + len(mains) * visibility_pool + TOOLS + RESERVED
    return -(-wanted // 10) * 10


def max_connections(cluster: Cluster, visibility_pool: int) -> Setting:
    count = connections_needed(cluster, visibility_pool)
    mains = pools(cluster, visibility_pool)
    if set(mains.values()) <= {2 * visibility_pool}:
        sums = f"{len(mains)} Temporal services x {3 * visibility_pool}"
    else:
        sums = f"{len(mains)} Temporal services: {sum(mains.values())} + {len(mains)} x {visibility_pool}"
    reason = f"{sums} + tools {TOOLS} + reserved {RESERVED}, rounded up"
    inputs = ", ".join(
        f"{host.name} {len(host.temporal_roles)} services" for host in cluster.hosts if host.temporal_roles
    )
    return Setting("max_connections", count, "", reason, "docs/reference/budgets.md", inputs)


def postgresql(
    limit_bytes: int,
    resources: Resources,
    connections: Setting,
    version: str,
    host: Host | None = None,
    *,
    own_network: bool = True,
) -> tuple[Setting, ...]:
    """Return the lines of postgresql.conf, grouped by subject; only what that major version knows."""
    listen = "*" if own_network or host is None else host.internal
    memory, disk, vcpu = _inputs(limit_bytes, resources, host)
    found = (
        *_connections(connections, listen),
        *_given(memory, _memory(limit_bytes)),
        *_given(disk, _wal(resources)),
        *_durability(),
        *_given(f"{memory}; {vcpu}; {disk}", _vacuum(limit_bytes, resources)),
        *_given(disk, _planner(resources, int(version))),
        *_operations(),
    )
    known = parameters.postgresql(int(version))
    return tuple(setting for setting in found if setting.name in known)


def _inputs(limit_bytes: int, resources: Resources, host: Host | None) -> tuple[str, str, str]:
    name = f"{host.name}: " if host else ""
    date = f" (measured {resources.measured})" if resources.measured else ""
    memory = (
        f"{name}{resources.memory_bytes / GIB:.4g} GiB{date}, PostgreSQL's share {limit_bytes / GIB:.4g} GiB"
    )
    disk = f"{name}{resources.disk.kind} disk of {resources.disk.size_bytes / GIB:.4g} GiB{date}"
    return memory, disk, f"{resources.vcpu} vCPU"


def _given(inputs: str, settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    return tuple(replace(setting, inputs=inputs) for setting in settings)


def _setting(name: str, value: float | str, unit: str, reason: str) -> Setting:
    return Setting(name, value, unit, reason, MANUAL)


def _connections(connections: Setting, listen: str) -> tuple[Setting, ...]:
    inside = "inside the container; published on the internal address only"
    return (
        _setting("listen_addresses", listen, "", inside if listen == "*" else "the internal address only"),
        _setting("port", 5432, "", "the same on every host"),
        _setting("unix_socket_directories", "/var/run/postgresql", "", "a tmpfs of the container"),
        connections,
        _setting("superuser_reserved_connections", RESERVED, "", "a way in when all pools are full"),
        _setting("password_encryption", "scram-sha-256", "", "never md5"),
        _setting(
            "tcp_keepalives_idle", 60, "s", "a client that vanished gives its locks back within two minutes"
        ),
        _setting("tcp_keepalives_interval", 10, "s", "between the questions to a silent client"),
        _setting("tcp_keepalives_count", 6, "", "so many unanswered and the connection ends"),
        _setting("idle_in_transaction_session_timeout", 5, "min", "a stuck client must not hold shard locks"),
    )


def _memory(limit: int) -> tuple[Setting, ...]:
    share = f"of PostgreSQL's {limit // MIB} MiB"
    buffers = shared_buffers_bytes(limit)
    huge = "try" if buffers >= HUGE_PAGES_FROM else "off"
    return (
        _setting("shared_buffers", buffers // MIB, "MB", f"a quarter {share}"),
        _setting(
            "effective_cache_size", limit * 3 // 4 // MIB, "MB", f"three quarters {share}; a planner's guess"
        ),
        _setting("work_mem", work_mem_bytes(limit) // MIB, "MB", "Temporal's statements sort little"),
        _setting("maintenance_work_mem", maintenance_bytes(limit) // MIB, "MB", f"a sixteenth {share}"),
        _setting(
            "huge_pages", huge, "", "off below 8 GB of shared_buffers; try falls back when none are reserved"
        ),
        _setting("dynamic_shared_memory_type", "posix", "", "in /dev/shm, whose size the compose file sets"),
    )


def _wal(resources: Resources) -> tuple[Setting, ...]:
    disk_mib = resources.disk.size_bytes // MIB
    largest = max(min(disk_mib // 10, 16 * 1024) // 64 * 64, 512)
    return (
        _setting(
            "max_wal_size", largest, "MB", "a tenth of the disk, which it shares with the data; at most 16 GB"
        ),
        _setting(
            "min_wal_size", largest // 4, "MB", "a quarter of max_wal_size: segments are recycled, not made"
        ),
        _setting(
            "checkpoint_timeout", 15, "min", "fewer full-page images; recovery reads at most this much WAL"
        ),
        _setting("checkpoint_completion_target", 0.9, "", "spreads the writes of a checkpoint"),
        _setting("wal_compression", "lz4", "", "a third less WAL for Temporal's writes"),
        _setting("wal_buffers", 16, "MB", "one segment; more brought nothing"),
    )


def _durability() -> tuple[Setting, ...]:
    return (
        _setting("fsync", "on", "", DURABLE),
        _setting("full_page_writes", "on", "", "torn pages after a power cut"),
        _setting("synchronous_commit", "on", "", DURABLE),
    )


def _vacuum(limit: int, resources: Resources) -> tuple[Setting, ...]:
    cost = 2000 if resources.disk.kind in SOLID else 1000
    workers = autovacuum_workers(resources.vcpu)
    return (
        _setting("autovacuum_max_workers", workers, "", "Temporal has a dozen busy tables"),
        _setting("autovacuum_naptime", 15, "s", "queue tables turn over in minutes"),
        _setting("autovacuum_vacuum_cost_limit", cost, "", f"for a disk of kind {resources.disk.kind}"),
        _setting(
            "autovacuum_work_mem",
            autovacuum_bytes(limit) // MIB,
            "MB",
            "a worker's; half of maintenance_work_mem",
        ),
    )


def _planner(resources: Resources, version: int) -> tuple[Setting, ...]:
    spinning = resources.disk.kind == "hdd"
    newest = 18
    io_method = _setting("io_method", "worker", "", "Docker's seccomp profile refuses io_uring")
    return (
        _setting(
            "random_page_cost", 4.0 if spinning else 1.1, "", f"for a disk of kind {resources.disk.kind}"
        ),
        _setting("effective_io_concurrency", 2 if spinning else 200, "", "reads that the disk does at once"),
        _setting("jit", "off", "", "short statements: compiling costs more than it saves"),
        *((io_method,) if version >= newest else ()),
    )


def _operations() -> tuple[Setting, ...]:
    return (
        _setting("track_io_timing", "on", "", "where the time goes"),
        _setting(
            "track_wal_io_timing", "on", "", "the fsync latency that counts, from the server's own counters"
        ),
        _setting("log_checkpoints", "on", "", "requested ones mean max_wal_size is too small"),
        _setting("log_lock_waits", "on", "", "contention on shard rows"),
        _setting("log_autovacuum_min_duration", 10, "s", "bloat shows here first"),
        _setting("log_min_duration_statement", 1, "s", "statements of Temporal take milliseconds"),
        _setting("log_line_prefix", "%m [%p] %q%u@%d %h ", "", "who and from where"),
        _setting("log_timezone", "UTC", "", "the same on every host"),
        _setting("timezone", "UTC", "", "Temporal stores UTC"),
    )
