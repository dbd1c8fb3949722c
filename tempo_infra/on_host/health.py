"""How a service is asked whether it serves: by which protocol and where, as the manifest says it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Optional, Union

from tempo_infra.on_host.exchange import Tls
from tempo_infra.on_host.lazy import Later

if TYPE_CHECKING:
    from tempo_infra.on_host import database, http_health, role_health
else:
    database, role_health, http_health = map(Later, ("database", "role_health", "http_health"))

# The names under which the server registers its roles (go.temporal.io/server, service/*/fx.go).
SERVICES = {
    "frontend": "temporal.api.workflowservice.v1.WorkflowService",
    "history": "temporal.api.workflowservice.v1.HistoryService",
    "matching": "temporal.api.workflowservice.v1.MatchingService",
    "worker": "temporal.api.workflowservice.v1.WorkerService",
}


@dataclass(frozen=True)
class Grpc:
    """grpc.health.v1: an open port proves little, and the empty name answers SERVING at once."""

    host: str
    port: int
    service: str  # as the server registers it
    tls: Optional[Tls] = None


@dataclass(frozen=True)
class Http:
    """One request, as a browser would begin."""

    host: str
    port: int
    tls: Optional[Tls] = None


@dataclass(frozen=True)
class Postgres:
    """The protocol's first question."""

    host: str
    port: int


Health = Union[Grpc, Http, Postgres]
KINDS = {"grpc": Grpc, "http": Http, "postgres": Postgres}


def of(body: "dict[str, Any]") -> Health:
    """Return what JSON values mean; ValueError, LookupError, TypeError for an unknown kind or field."""
    tls, port = body.get("tls", {}), body["port"]
    words = (body["host"], body.get("service", ""), *tls.values())
    if not all(isinstance(one, str) for one in words) or type(port) is not int or not 0 < port < 1 << 16:
        raise TypeError("a health question has no host, port or service")
    fields = {name: one for name, one in body.items() if name not in ("kind", "tls")}
    found: Health = KINDS[body["kind"]](**fields, **({"tls": Tls(**tls)} if tls else {}))
    return found


def as_json(health: Health) -> "dict[str, Any]":
    kind = next(name for name, one in KINDS.items() if type(health) is one)
    return {"kind": kind, **{name: one for name, one in asdict(health).items() if one is not None}}


def at(health: Health, host: str) -> Health:
    """Return the question with the address that its generation does not say: the host's internal one."""
    return health if health.host or isinstance(health, Http) else replace(health, host=host)


def why_silent(health: Health, deadline_s: float) -> str:
    """Return why a service does not serve; empty when it does."""
    if isinstance(health, Postgres):
        return str(database.why_silent(health.host, health.port, deadline_s=deadline_s))
    if isinstance(health, Http):
        return str(http_health.ask(*http_health.place(health), health.tls))
    word = str(role_health.ask(health, deadline_s))
    return "" if word == "SERVING" else word
