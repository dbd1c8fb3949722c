"""Every host's settings, in one pass. Whether they fit each other is judged afterwards, in budget.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import (
    backup,
    hugepages,
    instead,
    kernel,
    overrides,
    postgres,
    postgres_lines,
    temporal,
)
from tempo_infra.sizing.containers import containers, memory_shares, os_reserve_bytes
from tempo_infra.sizing.overrides import effective, put_in
from tempo_infra.sizing.settings import HostSettings, Settings
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.sizing.settings import Setting


def compute(cluster: Cluster) -> Settings:
    """Return the settings of every host. OverBudgetError where not even the least fits."""
    database = store(cluster).writer
    limit_bytes = memory_shares(cluster, database)[Role.POSTGRESQL]
    pool = postgres.visibility_pool(cluster, limit_bytes, database.resources.vcpu)
    mains = postgres.pools(cluster, pool)
    conf = _postgresql(cluster, limit_bytes, postgres.max_connections(cluster, pool))
    return Settings(
        hosts=tuple(_host(cluster, host, conf, mains, pool) for host in cluster.hosts),
        shards=cluster.temporal.shards,
        max_connections=next(setting for setting in conf if setting.name == "max_connections"),
        plan_guard=temporal.plan_guard(),
        shard_setting=temporal.shard_setting(cluster),
        risks=overrides.risks(cluster),
    )


def _postgresql(cluster: Cluster, limit_bytes: int, connections: Setting) -> tuple[Setting, ...]:
    host = store(cluster).writer
    given = postgres_lines.Given(limit_bytes, host.resources, host, own_network=not cluster.shares_network)
    sized = postgres_lines.postgresql(given, connections, cluster.postgres.version)
    sized += backup.postgresql(cluster.backup) if cluster.backup else ()
    found = put_in(cluster, sized, effective(cluster, host, "postgresql"), postgres_lines.MANUAL)
    return instead.postgresql(found, cluster)


def _host(
    cluster: Cluster,
    host: Host,
    conf: tuple[Setting, ...],
    mains: Mapping[tuple[str, Role], int],
    pool: int,
) -> HostSettings:
    own = conf if host.has(Role.POSTGRESQL) else ()
    wanted = (
        hugepages.reservation(int(cluster.postgres.version), {s.name: s.text for s in own}) if own else None
    )
    of_kernel = kernel.sysctl(host, wanted, own_network=not cluster.shares_network)
    sysctl = put_in(cluster, of_kernel, effective(cluster, host, "sysctl"), kernel.KERNEL)
    connections = int(next((float(s.text) for s in conf if s.name == "max_connections"), 0))
    sized = containers(cluster, host, connections, hugepages.reserved_bytes((wanted,)) if wanted else 0)
    memory = {container.name: container.memory_bytes for container in sized}
    return HostSettings(
        host=host.name,
        containers=sized,
        temporal=instead.temporal(
            temporal.temporal(cluster, host, memory, mains, pool), cluster.temporal.version
        ),
        postgresql=own,
        sysctl=instead.kernel(sysctl),
        thp=kernel.thp(host),
        nofile=kernel.nofile(cluster.nofile),
        os_reserve_bytes=os_reserve_bytes(host.resources.memory_bytes),
        pgbackrest=backup.pgbackrest(cluster.backup, host) if cluster.backup and own else (),
    )
