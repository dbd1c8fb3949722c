"""Whether each Temporal role of this host serves, by its own gRPC health."""

from __future__ import annotations

from dataclasses import dataclass

from tempo_infra.on_host.health import SERVICES, Grpc
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.role_health import ask

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class RolePort:
    role: str
    port: int
    metrics: int = 0  # on the loopback of its container


@dataclass(frozen=True, slots=True)
class RoleHealth:
    role: str
    port: int
    word: str  # "SERVING", "NOT_SERVING", or why there is no answer


def read(address: str, ports: "tuple[RolePort, ...]") -> "tuple[RoleHealth, ...]":
    """Ask each role once; nothing to read where no role is known."""
    if not address or not ports:
        raise Unread("no Temporal role of this host is known", not_wanted=True)
    return tuple(
        RoleHealth(one.role, one.port, ask(Grpc(address, one.port, SERVICES[one.role]), TIMEOUT_S))
        for one in ports
    )
