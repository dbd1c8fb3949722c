"""Budgets of every host: its memory, its open files, its ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.sizing import hugepages
from tempo_infra.sizing.breach import Breach
from tempo_infra.sizing.budgets.rule import mib, pairs, rule
from tempo_infra.sizing.settings import MIB
from tempo_infra.topology.instances import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing.settings import Settings

NOFILE_SHARE = 0.8
CLIENT_SOCKETS = 400  # peers, workers and clients of one service, beside its pools
EPHEMERAL = (32768, 60999)  # net.ipv4.ip_local_port_range of the kernel


@rule(
    "memory",
    says="operating system + huge pages + limits of all containers <= memory of the host",
    why="the kernel kills what it likes",
)
def memory(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    for host, sized in pairs(cluster, settings):
        reserved = hugepages.reserved_bytes(sized.sysctl)
        given = [(one.name, one.memory_bytes) for one in sized.containers]
        wanted = sized.os_reserve_bytes + reserved + sum(size for _, size in given)
        have = host.resources.memory_bytes
        if wanted > have:
            parts = ", ".join(f"{name} {size // MIB}" for name, size in given)
            huge = f", huge pages {reserved // MIB}" if reserved else ""
            place = cluster.place("hosts", host.name, "resources", "memory")
            lines = (
                (f"operating system {sized.os_reserve_bytes // MIB}{huge}, {parts}", mib(wanted)),
                (f"the host has ({place})", mib(have)),
            )
            levers = ("sysctl.vm.nr_hugepages", "host-memory", *(f"memory.{name}" for name, _ in given))
            yield Breach("memory", host.name, mib(wanted - have), lines, levers)


@rule(
    "file-descriptors",
    says="a service's pools + 400 for clients and peers <= 80 % of limits.nofile",
    why="accept() fails, and workers wait without a word",
)
def file_descriptors(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    allowed = int(cluster.nofile * NOFILE_SHARE)
    limit = f"{NOFILE_SHARE:.0%} of limits.nofile {cluster.nofile} ({cluster.place('limits', 'nofile')})"
    for host, sized in pairs(cluster, settings):
        for role, one in sized.temporal.items():
            wanted = one.connections + CLIENT_SOCKETS
            if wanted > allowed:
                pools = f"{role}: pools {one.connections}, clients and peers {CLIENT_SOCKETS}"
                lines = ((pools, str(wanted)), (limit, str(allowed)))
                levers = ("nofile", f"pools.{role}")
                yield Breach("file-descriptors", host.name, str(wanted - allowed), lines, levers)


@rule(
    "ports",
    says="no port of a service lies in the range that the kernel gives to outgoing connections",
    why="a service can't start, because somebody's connection has its port",
)
def ports(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    for host, sized in pairs(cluster, settings):
        carried = components.of_roles(host.roles)
        wanted = [port.number for one in carried for port in listening(cluster, one)]
        own = next((one for one in sized.sysctl if one.name == "net.ipv4.ip_local_port_range"), None)
        low, high = map(int, own.text.split()) if own else EPHEMERAL
        taken = [port for port in wanted if low <= port <= high]
        if taken:
            place = f" ({own.written})" if own and own.written else ""
            lines = (
                ("ports of its services", ", ".join(map(str, sorted(wanted)))),
                (f"given to outgoing connections by the kernel{place}", f"{low} to {high}"),
            )
            levers = ("sysctl.net.ipv4.ip_local_port_range",)
            yield Breach("ports", host.name, f"{len(taken)} ports", lines, levers)
