"""What a host should be like: from its inventory, or from a class's defaults where there is none."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tempo_infra import components
from tempo_infra.components.component import Reach
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import size
from tempo_infra.sizing.hugepages import reserved_bytes
from tempo_infra.topology import store
from tempo_infra.topology.instances import LOOPBACK, listening, members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster, Host, InstanceClass, Resources

NOFILE = (
    65_535  # what an inventory asks for when it says nothing; Elasticsearch's bootstrap check asks the same
)


@dataclass(frozen=True, slots=True)
class HostClock:
    """A host's clock against the controller's, by the best of several round trips."""

    offset_ms: float
    uncertainty_ms: float


@dataclass(frozen=True, slots=True)
class EarlierSize:
    """How large the database was, and when."""

    data_bytes: int
    taken_at: str  # as facts write it
    sizes: Mapping[str, int] = field(default_factory=dict)  # bytes of the largest tables and indexes


def ports_of(host: Host, cluster: Cluster) -> Mapping[int, str]:
    """Return the ports that a host's services listen on, by the component that does."""
    return {
        port.number: one.name for one in components.of_roles(host.roles) for port in listening(cluster, one)
    }


def _sized(host: Host, cluster: Cluster) -> dict[str, Any]:
    """Return what sizing plans; nothing where a budget doesn't hold: hosts can be measured all the same."""
    try:
        settings = size(cluster)
    except InputError:
        return {}
    by_name = {one.name: one.internal for one in cluster.hosts}
    pools = {
        by_name[one.host]: sum(role.connections for role in one.temporal.values()) for one in settings.hosts
    }
    own = next(one for one in settings.hosts if one.host == host.name)
    return {"pools": pools, "huge_pages": bool(reserved_bytes(own.sysctl))}


@dataclass(frozen=True, slots=True)
class Expected:
    """The numbers that findings are compared with."""

    thresholds: Mapping[str, float]
    nofile: int = NOFILE
    host: str = ""
    class_name: str = ""
    roles: frozenset[Role] | None = None  # None: not known, so every role is possible
    resources: Resources | None = None  # None: nothing was declared
    writer: str = ""  # whose disk takes this host's durable writes
    inventory: str = ""  # the file's name, for the commands of remedies
    internal: str = ""  # the address that its services bind
    ports: Mapping[int, str] = field(default_factory=dict)  # that its services listen on: 7234 -> "history"
    members: tuple[str, ...] = ()  # "history 10.0.0.12:6934", of the whole cluster; empty: not known
    ring: tuple[str, ...] = ()  # the same with the ports that the ring names: "history 10.0.0.12:7234"
    shards: int = 0  # 0: not known
    login: str = ""  # the database login that is in use; empty: not known
    pools: Mapping[str, int] = field(
        default_factory=dict
    )  # planned connections, by a host's internal address
    huge_pages: bool = False  # memory is set aside for PostgreSQL's buffers
    earlier: EarlierSize | None = None  # of the database, from the report that --compare names
    shares_network: bool = False  # services have the host's own network
    clocks: Mapping[str, HostClock] = field(default_factory=dict)  # of all hosts of this run

    @classmethod
    def for_class(cls, instance_class: InstanceClass, *, host: str = "") -> Expected:
        """Return what any host of a class should be like, whatever it will run."""
        return cls(instance_class.thresholds, host=host, class_name=instance_class.name)

    @classmethod
    def for_host(cls, host: Host, cluster: Cluster) -> Expected:
        """Return what a host of an inventory should be like."""
        return cls(
            thresholds=host.instance_class.thresholds,
            nofile=cluster.nofile,
            host=host.name,
            class_name=host.instance_class.name,
            roles=frozenset(host.roles),
            resources=host.resources,
            writer=store(cluster).writer.name,
            inventory=str(cluster.path),
            internal=host.internal,
            ports=ports_of(host, cluster),
            members=tuple(members(cluster, "membership").values()),
            ring=tuple(members(cluster, "grpc").values()),
            shards=cluster.temporal.shards,
            login=cluster.secrets.login.role,
            shares_network=cluster.shares_network,
            **_sized(host, cluster),
        )

    def address(self, port: int) -> str:
        """Return where that port of its services listens."""
        owner = components.of(self.ports[port]).ports if port in self.ports else ()
        local = any(one.number == port and one.reach is Reach.OPERATORS for one in owner)
        return LOOPBACK if local else self.internal

    def limit(self, name: str) -> float:
        """Return a threshold of the class; KeyError when the catalogue of classes has none of that name."""
        return self.thresholds[name]

    def may_run(self, role: Role) -> bool:
        """Whether the host has that role, or may have it because its roles are not known."""
        return self.roles is None or role in self.roles

    @property
    def keeps_the_data(self) -> bool:
        return self.may_run(Role.POSTGRESQL)

    def filled_in(self, remedy: str) -> str:
        """Put the names of this host and inventory into a remedy's commands."""
        inventory, host = (self.inventory, self.host) if self.inventory else ("inventory.yaml", "HOST")
        return remedy.replace("{inventory}", shlex.quote(inventory)).replace("{host}", shlex.quote(host))
