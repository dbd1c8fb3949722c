"""What a host should be like: from its inventory, or from a class's defaults where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster, Host, InstanceClass, Resources

NOFILE = (
    65_535  # what an inventory asks for when it says nothing; Elasticsearch's bootstrap check asks the same
)


@dataclass(frozen=True, slots=True)
class Expected:
    """The numbers that findings are compared with."""

    thresholds: Mapping[str, float]
    nofile: int = NOFILE
    host: str = ""
    class_name: str = ""
    roles: frozenset[Role] | None = None  # None: not known, so every role is possible
    resources: Resources | None = None  # None: nothing was declared
    database_host: str = ""  # whose disk takes this host's durable writes
    inventory: str = ""  # the file's name, for the commands of remedies

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
            database_host=cluster.database_host.name,
            inventory=str(cluster.path),
        )

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
        return remedy.replace("{inventory}", inventory).replace("{host}", host)
