"""What a host's containers are, from its compose file as it was rendered and read back.

An operator's own template may name another image, port or mount than ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from tempo_infra import components
from tempo_infra.components.component import Grpc, Http, Postgres
from tempo_infra.on_host import health
from tempo_infra.on_host.manifest import Instance
from tempo_infra.topology.instances import LOOPBACK, address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.components.component import Component
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.health import Health
    from tempo_infra.render.views import HostView, ServiceView

ANY = "0.0.0.0"  # noqa: S104 - read, not bound


def instances(
    compose: Mapping[str, Any], host: Host, view: HostView, servers: Mapping[str, Any]
) -> dict[str, Instance]:
    """Return the containers by name; `compose` and `servers` (server.yaml by service) as they were parsed."""
    more = _files(compose)
    return {
        one.name: _instance(compose["services"][one.name], host, one, more, servers.get(one.name))
        for one in view.services
    }


def _instance(
    entry: Mapping[str, Any],
    host: Host,
    view: ServiceView,
    more: Mapping[str, str],
    server: Any,  # noqa: ANN401  # parsed YAML
) -> Instance:
    component, shares = components.of(view.name), entry.get("network_mode") == "host"
    published = {target: at for at, target in map(_published, entry.get("ports") or ())}
    image = str(entry["image"])
    return Instance(
        component=component.role,
        image=image,
        content=view.content if image == view.image else "",
        job=component.is_job,
        shares_network=shares,
        listens=view.binds if shares else tuple(published.values()),
        mounts=tuple(sorted(set(_mounts(entry, more)))),
        health=_health(component, host, published),
        data=_data(component, image, server),
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


def _data(component: Component, image: str, server: Any) -> dict[str, str]:  # noqa: ANN401  # parsed YAML
    if component.kind == "postgresql":
        tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        return {"major": tag.split(".")[0].split("-")[0]} if tag else {}
    return fixed_by(server) if server else {}


def _health(component: Component, host: Host, published: Mapping[str, str]) -> Health | None:
    """Return how its host asks an instance: where its port is published, else where it listens by itself."""
    asked = component.health
    if asked is None:
        return None
    port = next(one for one in component.ports if one.name == asked.port)
    at, _, number = published.get(str(port.number), f"{address(host, port)}:{port.number}").rpartition(":")
    at = LOOPBACK if at == ANY else at
    if isinstance(asked, Grpc):
        return health.Grpc(at, int(number), asked.service)
    if isinstance(asked, Http):
        return health.Http(at, int(number))
    if isinstance(asked, Postgres):
        return health.Postgres(at, int(number))
    assert_never(asked)


def _published(port: Any) -> tuple[str, str]:  # noqa: ANN401  # in compose's short form or its long one
    """Return address:port on the host, and the port of the container."""
    if isinstance(port, dict):
        target = str(port["target"])
        return f"{port.get('host_ip') or ANY}:{port.get('published') or target}", target
    place, _, target = str(port).partition("/")[0].rpartition(":")
    place = place or target
    return place if ":" in place else f"{ANY}:{place}", target


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
