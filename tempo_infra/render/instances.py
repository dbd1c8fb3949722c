"""What a host's containers are, from its compose file as it was rendered and read back.

An operator's own template may name another image, port or mount than ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra.inventory.addresses import with_port
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.on_host.health import SERVICES, Grpc, Http, Postgres
from tempo_infra.on_host.manifest import Instance
from tempo_infra.sizing.temporal import LOOPBACK, PORTS, POSTGRESQL_PORT, UI_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.health import Health
    from tempo_infra.render.views import HostView, ServiceView
    from tempo_infra.sizing import Container, HostSettings

ANY = "0.0.0.0"  # noqa: S104 - read, not bound


def instances(
    compose: Mapping[str, Any], host: Host, view: HostView, settings: HostSettings, servers: Mapping[str, Any]
) -> dict[str, Instance]:
    """Return the containers by name; `compose` and `servers` (server.yaml by service) as they were parsed."""
    views = {one.name: one for one in view.services}
    more = _files(compose)
    return {
        one.name: _instance(
            compose["services"][one.name], host, views[one.name], one, more, servers.get(one.name)
        )
        for one in settings.containers
    }


def _instance(
    entry: Mapping[str, Any],
    host: Host,
    view: ServiceView,
    container: Container,
    more: Mapping[str, str],
    server: Any,  # noqa: ANN401  # parsed YAML
) -> Instance:
    shares = entry.get("network_mode") == "host"
    by_itself = tuple(with_port(host.internal, port) for port in view.binds) if shares else ()
    listens = tuple(_published(port) for port in entry.get("ports") or ()) or by_itself
    image = str(entry["image"])
    return Instance(
        component=container.role.value,
        image=image,
        job=container.job,
        shares_network=shares,
        listens=listens,
        mounts=tuple(sorted(set(_mounts(entry, more)))),
        health=None if container.job else _health(container.role, host.internal, listens),
        data=_data(container, image, server),
    )


def networks(compose: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return network -> its pinned IPv4 subnets; nothing where every service has the host's own network."""
    if all(one.get("network_mode") == "host" for one in compose["services"].values()):
        return {}
    pools = {name: ((one or {}).get("ipam") or {}) for name, one in (compose.get("networks") or {}).items()}
    subnets = {
        name: [str(one.get("subnet", "")) for one in pool.get("config") or ()] for name, pool in pools.items()
    }
    return {
        name: tuple(one for one in found if "/" in one and ":" not in one) for name, found in subnets.items()
    }


def fixed_by(server: Any) -> dict[str, str]:  # noqa: ANN401  # parsed YAML, a host's too
    """Return what a server.yaml fixes at the first start. LookupError, TypeError, AttributeError for none."""
    stores = server["persistence"].get("datastores", {})
    return {
        "shards": str(server["persistence"]["numHistoryShards"]),
        "cluster": str(server.get("clusterMetadata", {}).get("currentClusterName", "")),
        "databases": " ".join(sorted({str(one["sql"]["databaseName"]) for one in stores.values()})),
    }


def _data(container: Container, image: str, server: Any) -> dict[str, str]:  # noqa: ANN401  # parsed YAML
    if container.name == Role.POSTGRESQL:
        tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        return {"major": tag.split(".")[0].split("-")[0]} if tag else {}
    return fixed_by(server) if server else {}


def _health(role: Role, internal: str, listens: tuple[str, ...]) -> Health:
    if role in TEMPORAL_ROLES:
        return Grpc(internal, PORTS[role].grpc, SERVICES[role])
    if role is Role.POSTGRESQL:
        return Postgres(internal, POSTGRESQL_PORT)
    if role is Role.UI:
        address, _, port = next(iter(listens), f"{LOOPBACK}:{UI_PORT}").rpartition(":")
        return Http(LOOPBACK if address == ANY else address, int(port))
    raise ValueError(f"how {role} is asked whether it serves is not said")


def _published(port: Any) -> str:  # noqa: ANN401  # in compose's short form or its long one
    if isinstance(port, dict):
        return f"{port.get('host_ip') or ANY}:{port.get('published') or port['target']}"
    place = str(port).partition("/")[0].rpartition(":")[0] or str(port)
    return place if ":" in place else f"{ANY}:{place}"


def _mounts(entry: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[str]:
    for one in entry.get("volumes") or ():
        source = one.get("source", "") if isinstance(one, dict) else str(one).partition(":")[0]
        if str(source).startswith("/"):
            yield str(source).rstrip("/")
    for one in (*(entry.get("secrets") or ()), *(entry.get("configs") or ())):
        name = one.get("source", "") if isinstance(one, dict) else str(one)
        if name in files:
            yield files[name]


def _files(compose: Mapping[str, Any]) -> dict[str, str]:
    """Return the files on the host that compose's own secrets and configs stand for, by name."""
    kinds = [compose.get(kind) or {} for kind in ("secrets", "configs")]
    return {name: str(one["file"]) for kind in kinds for name, one in kind.items() if (one or {}).get("file")}
