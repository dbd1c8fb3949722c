"""The instances of a cluster's components, and the ports of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.components.component import Reach
from tempo_infra.inventory.addresses import with_port
from tempo_infra.inventory.cluster import TEMPORAL_ROLES

if TYPE_CHECKING:
    from tempo_infra.components.component import Component, Port
    from tempo_infra.inventory.cluster import Cluster, Host, Role

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one instance is reached."""

    host: str  # its name
    address: str
    port: int

    def __str__(self) -> str:
        return with_port(self.address, self.port)


@dataclass(frozen=True, slots=True)
class Instance:
    """A component on a host that has its role."""

    component: Component
    host: Host

    def at(self, port: str) -> Endpoint:
        """Return where its port of that name is reached; KeyError when the component has none."""
        return Endpoint(self.host.name, self.host.internal, self.component.at(port))


def instances(cluster: Cluster, *names: str) -> tuple[Instance, ...]:
    """Return the instances of these components in the file's order; InputError for an unknown one."""
    wanted = [components.of(name) for name in names]
    return tuple(Instance(one, host) for one in wanted for host in cluster.hosts if one.role in host.roles)


def endpoints(cluster: Cluster, name: str, port: str = "grpc") -> tuple[Endpoint, ...]:
    """Return where a component is reached, in the file's order of its hosts; none where no host has it."""
    return tuple(one.at(port) for one in instances(cluster, name))


def listening(cluster: Cluster, component: Component) -> tuple[Port, ...]:
    """Return the ports that a component opens on its host, the loopback's included."""
    return tuple(
        one
        for one in component.ports
        if one.reach is not Reach.OWN_HOST and (not one.option or one.option in cluster.options)
    )


def address(host: Host, port: Port) -> str:
    """Return the address of a host on which that port of a service is reached."""
    return LOOPBACK if port.reach is Reach.OPERATORS else host.internal


def members(cluster: Cluster, port: str) -> dict[tuple[str, Role], str]:
    """Return (host, role) -> "history 10.0.0.12:6934" of Temporal's services, by their port of that name."""
    return {
        (one.host, role): f"{role} {one}" for role in TEMPORAL_ROLES for one in endpoints(cluster, role, port)
    }
