"""What the lab consists of: names, addresses, sizes. Data only."""

from __future__ import annotations

from dataclasses import dataclass

LABEL = "tempo-infra-lab"
KEY_LABEL = f"{LABEL}.key"
NETWORK = "tempo-lab"
BRIDGE = "tempo-lab0"
SUBNET = "10.99.0.0/24"
GATEWAY = "10.99.0.1"
USER = "deploy"
SSH_PORT = 22
NOFILE = 65535

REGISTRY_CONTAINER = "tempo-lab-registry"
REGISTRY_NAME = "registry.lab:5000"
REGISTRY_INTERNAL = "10.99.0.2"
REGISTRY_LOOPBACK = "127.0.1.10"
REGISTRY_PORT = 5000


@dataclass(frozen=True)
class HostSpec:
    """One lab host as it is asked for."""

    name: str
    number: int
    memory_mb: int = 2048
    vcpu: int = 2

    @property
    def container(self) -> str:
        return f"tempo-lab-{self.name}"

    @property
    def ssh_address(self) -> str:
        return f"127.0.1.{10 + self.number}"

    @property
    def internal_address(self) -> str:
        return f"10.99.0.{10 + self.number}"

    @property
    def volumes(self) -> dict[str, str]:
        """Volume name to the place in the host where it is mounted."""
        places = {"docker": "/var/lib/docker", "srv": "/srv/tempo", "state": "/var/lib/tempo-infra"}
        return {f"{self.container}-{suffix}": place for suffix, place in places.items()}


TRIO = (
    HostSpec("front-1", 1, memory_mb=2048),
    HostSpec("history-1", 2, memory_mb=4096),
    HostSpec("db-1", 3, memory_mb=4096),
)
MOST_HOSTS = 30


def rack(count: int) -> tuple[HostSpec, ...]:
    """The first `count` hosts: the trio, then extra-1, extra-2, ..."""
    extras = (HostSpec(f"extra-{n}", len(TRIO) + n, memory_mb=4096) for n in range(1, MOST_HOSTS))
    return (*TRIO, *extras)[:count]
