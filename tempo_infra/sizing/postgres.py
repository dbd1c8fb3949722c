"""PostgreSQL: what its share of the host carries: memory by purpose, connections, pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.sizing.breach import Breach, OverBudgetError
from tempo_infra.sizing.overrides import effective
from tempo_infra.sizing.settings import GIB, MIB, Setting
from tempo_infra.topology import store

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster, Host

TOOLS = 10  # schema job, psql, an exporter, a person in trouble
RESERVED = 3  # superuser_reserved_connections
POOL_VISIBILITY = 10  # the upstream default; the main store's pool is twice that. More measured no gain
POOL_FLOOR = 4
BACKEND_BYTES = 2 * MIB  # private memory of a connection: catalogue and statement caches
BUSY_SHARE = 8  # one connection in so many sorts at the same moment
PAGE_CACHE_SHARE = 16  # one sixteenth stays for pages of the log and of files that are just being read
SHARED_OVERHEAD = 1.05  # shared memory beside shared_buffers: locks, WAL buffers, connection slots
SHARED_BUFFERS_CAP = 16 * GIB


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
    place = cluster.place("hosts", store(cluster).writer.name, "resources", "memory")
    raise OverBudgetError(
        Breach(
            budget="database-memory",
            host=store(cluster).writer.name,
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
