"""A host's memory and CPUs, divided among its containers, so that all of them together fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import hugepages
from tempo_infra.sizing.breach import Breach, OverBudgetError
from tempo_infra.sizing.overrides import effective
from tempo_infra.sizing.settings import GIB, MIB, Container

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster, Host

OS_RESERVE_FLOOR = 320 * MIB  # Debian with sshd, dockerd, containerd and the proxies of published ports
OS_RESERVE_SHARE = 16  # one sixteenth: a bigger machine runs bigger daemons and caches
OS_RESERVE_CAP = 4 * GIB
STEP = 16 * MIB  # limits are multiples of this, so that small changes of the inventory change nothing
GOGC = 400  # of Temporal's services: percent of live memory that may be garbage before it is collected
GO_SHARE = 0.85  # of the limit, for GOMEMLIMIT; the rest is stacks, text and what Go does not count
SHARD_BYTES = 256 * 1024  # of the history service, a shard: queues, timers, caches of the shard itself


def os_reserve_bytes(memory_bytes: int) -> int:
    """Return what stays for the operating system and the Docker engine."""
    return min(max(OS_RESERVE_FLOOR, memory_bytes // OS_RESERVE_SHARE), OS_RESERVE_CAP)


def container_names(host: Host) -> tuple[str, ...]:
    """Return the compose services of a host, in start order; the jobs come last."""
    return tuple(one.name for one in components.of_roles(host.roles))


def memory_shares(cluster: Cluster, host: Host) -> dict[str, int]:
    """Divide the host's bytes: floors, then the rest by weight. InputError when the floors don't fit."""
    names = container_names(host)
    own = {name: int(one.value) for name, one in effective(cluster, host, "memory").items() if name in names}
    floors = {name: own.get(name) or _floor(cluster, name) for name in names}
    taken = os_reserve_bytes(host.resources.memory_bytes) + _pages_of_others(cluster, host)
    left = host.resources.memory_bytes - taken - sum(floors.values())
    if left < 0:
        raise _too_small(cluster, host, floors, own)
    weights = {name: 0 if name in own else _weight(host, name) for name in names}
    whole = max(sum(weights.values()), 1)
    return {
        name: own.get(name) or (floors[name] + left * weights[name] // whole) // STEP * STEP for name in names
    }


def containers(
    cluster: Cluster, host: Host, max_connections: int, hugepages_bytes: int = 0
) -> tuple[Container, ...]:
    """Return the host's containers with their limits. Huge pages count on the host, not in a container."""
    shares = memory_shares(cluster, host)
    found = [_container(cluster, host, name, size) for name, size in shares.items()]
    return tuple(
        replace(
            one,
            memory_bytes=one.memory_bytes - hugepages_bytes,
            hugepages_bytes=hugepages_bytes,
            pids=max_connections + 100,
            reason=one.reason + _beside(hugepages_bytes),
        )
        if one.name == Role.POSTGRESQL
        else one
        for one in found
    )


def _pages_of_others(cluster: Cluster, host: Host) -> int:
    """Return what the operator reserves in huge pages where PostgreSQL is not the one that takes them."""
    own = effective(cluster, host, "sysctl").get("vm.nr_hugepages")
    return 0 if own is None or host.has(Role.POSTGRESQL) else int(own.value) * hugepages.PAGE_BYTES


def _beside(hugepages_bytes: int) -> str:
    return (
        f", less {hugepages_bytes // MIB} MiB of huge pages, which no limit counts" if hugepages_bytes else ""
    )


def _container(cluster: Cluster, host: Host, name: str, size: int) -> Container:
    component = components.of(name)
    own = effective(cluster, host, "memory").get(name)
    return Container(
        name=name,
        role=Role(component.role),
        memory_bytes=size,
        cpus=max(0.25, round(host.resources.vcpu * component.vcpu_share, 2)),
        pids=component.pids,
        nofile=cluster.nofile,
        stop_grace_s=component.stop_grace_s,
        reason=f"{size // MIB} of the host's {host.resources.memory_bytes // MIB} MiB",
        inputs=f"{host.name}: {host.resources.memory_bytes / GIB:.4g} GiB, {host.resources.vcpu} vCPU",
        gomemlimit_bytes=int(size * GO_SHARE) // MIB * MIB if component.go else None,
        gogc=GOGC if component.kind == "temporal" else None,
        shm_bytes=min(max(size // 8 // MIB * MIB, 64 * MIB), GIB) if name == Role.POSTGRESQL else None,
        job=component.is_job,
        written=cluster.place(*own.loc) if own else "",
    )


def _floor(cluster: Cluster, name: str) -> int:
    floor = components.of(name).memory.floor_mib * MIB
    if name != Role.HISTORY:
        return floor
    hosts = len(cluster.with_role(Role.HISTORY))
    shards = cluster.temporal.shards // max(hosts - 1, 1)  # one host down: the others hold its shards
    return floor + shards * SHARD_BYTES


def _weight(host: Host, name: str) -> int:
    """Twice the component's weight, three times where the host's class leans its way."""
    memory = components.of(name).memory
    return memory.weight * (3 if memory.leans == host.instance_class.leans else 2)


def _too_small(cluster: Cluster, host: Host, floors: dict[str, int], own: dict[str, int]) -> OverBudgetError:
    reserve = os_reserve_bytes(host.resources.memory_bytes) + _pages_of_others(cluster, host)
    needed = sum(floors.values()) + reserve
    parts = ", ".join(f"{name} {size // MIB}" for name, size in floors.items())
    place = cluster.place("hosts", host.name, "resources", "memory")
    return OverBudgetError(
        Breach(
            budget="memory",
            host=host.name,
            over=f"{(needed - host.resources.memory_bytes) // MIB + 1} MiB",
            lines=(
                (f"operating system {reserve // MIB}, {parts}", f"{needed // MIB} MiB"),
                (f"the host has ({place})", f"{host.resources.memory_bytes // MIB} MiB"),
            ),
            levers=("host-memory", "sysctl.vm.nr_hugepages", *(f"memory.{name}" for name in own)),
        )
    )
