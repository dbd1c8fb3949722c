"""Where the numbers of several hosts meet: pools against max_connections, containers against memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import kernel, postgres, temporal
from tempo_infra.sizing.containers import containers, memory_shares, os_reserve_bytes
from tempo_infra.sizing.settings import HostSettings, Settings

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.sizing.settings import Setting


def size(cluster: Cluster) -> Settings:
    """Size every host of the cluster. InputError when a budget can't hold, with its arithmetic."""
    shares = {host.name: memory_shares(cluster, host) for host in cluster.hosts}
    database = cluster.database_host
    limit_bytes = shares[database.name][Role.POSTGRESQL]
    pool = postgres.visibility_pool(cluster, limit_bytes, database.resources.vcpu)
    connections = postgres.max_connections(cluster, 3 * pool)
    return Settings(
        hosts=tuple(_host(cluster, host, pool, connections) for host in cluster.hosts),
        shards=cluster.temporal.shards,
        max_connections=connections,
        plan_cache_mode=temporal.plan_cache_mode(),
    )


def _host(cluster: Cluster, host: Host, pool: int, connections: Setting) -> HostSettings:
    sized = containers(cluster, host, int(connections.value))
    memory = {container.name: container.memory_bytes for container in sized}
    database = host.has(Role.POSTGRESQL)
    return HostSettings(
        host=host.name,
        containers=sized,
        temporal=temporal.temporal(cluster, host.temporal_roles, memory, pool),
        postgresql=(
            postgres.postgresql(
                memory[Role.POSTGRESQL], host.resources, connections, cluster.postgres.version
            )
            if database
            else ()
        ),
        sysctl=kernel.sysctl(host),
        thp=kernel.thp(host),
        nofile=kernel.nofile(cluster.nofile),
        os_reserve_bytes=os_reserve_bytes(host.resources.memory_bytes),
    )
