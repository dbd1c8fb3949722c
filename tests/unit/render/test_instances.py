"""What the manifest says of containers is what their compose file says, an operator's own too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.inventory import load
from tempo_infra.on_host.health import SERVICES, Grpc, Http, Postgres
from tempo_infra.render import render
from tempo_infra.render.instances import _mounts, _published, fixed_by, networks
from tempo_infra.sizing import size

SINGLE = Path(__file__).parents[3] / "inventory/single.yaml"


def test_each_service_says_where_it_listens_and_is_asked() -> None:
    cluster = load(SINGLE)
    [made] = render(cluster, size(cluster))
    at = cluster.hosts[0].internal
    kept = {name: one for name, one in made.instances.items() if not one.job}
    assert {name: one.health for name, one in kept.items()} == {
        "postgresql": Postgres(at, 5432),
        "frontend": Grpc(at, 7233, SERVICES["frontend"]),
        "history": Grpc(at, 7234, SERVICES["history"]),
        "matching": Grpc(at, 7235, SERVICES["matching"]),
        "worker": Grpc(at, 7239, SERVICES["worker"]),
        "ui": Http("127.0.0.1", 8080),
    }
    assert kept["history"].listens == (f"{at}:7234", f"{at}:6934")
    assert kept["history"].data == {
        "shards": "512",
        "cluster": "active",
        "databases": "temporal temporal_visibility",
    }
    assert kept["postgresql"].data == {"major": "17"}
    assert all(one.health is None and one.listens == () for one in made.instances.values() if one.job)


def test_on_the_hosts_own_network_nothing_is_published_and_all_but_the_ui_listen_by_themselves() -> None:
    cluster = replace(load(SINGLE), network="host")
    [made] = render(cluster, size(cluster))
    at = cluster.hosts[0].internal
    assert {name for name, one in made.instances.items() if not one.shares_network} == {"ui"}
    assert made.instances["postgresql"].listens == (f"{at}:5432",)
    assert made.instances["ui"].listens == ("127.0.0.1:8080",)


@pytest.mark.parametrize(
    ("port", "at"),
    [
        ("10.0.0.1:7233:7233", "10.0.0.1:7233 7233"),
        ("10.0.0.1:7000:7233/tcp", "10.0.0.1:7000 7233"),
        ("8081:8080", "0.0.0.0:8081 8080"),
        (8080, "0.0.0.0:8080 8080"),
        ({"host_ip": "10.0.0.1", "published": "7000", "target": 7233}, "10.0.0.1:7000 7233"),
        ({"target": 7233, "published": 7000}, "0.0.0.0:7000 7233"),
    ],
)
def test_a_port_is_where_the_host_has_it(port: Any, at: str) -> None:
    assert " ".join(_published(port)) == at


def test_mounts_are_found_in_each_way_of_writing_them() -> None:
    entry = {
        "volumes": ["/a:/x:ro", {"type": "bind", "source": "/b/", "target": "/y"}, "named:/z"],
        "secrets": ["one", {"source": "two", "target": "t"}, "elsewhere"],
        "configs": ["three"],
    }
    files = {"one": "/s/1", "two": "/s/2", "three": "/s/3"}
    assert set(_mounts(entry, files)) == {"/a", "/b", "/s/1", "/s/2", "/s/3"}


@pytest.mark.parametrize(
    ("compose", "found"),
    [
        (
            {"services": {"a": {}}, "networks": {"n": {"ipam": {"config": [{"subnet": "10.1.0.0/24"}]}}}},
            {"n": ("10.1.0.0/24",)},
        ),
        ({"services": {"a": {}}, "networks": {"n": None}}, {"n": ()}),
        ({"services": {"a": {"network_mode": "host"}}, "networks": {"n": None}}, {}),
    ],
)
def test_networks_are_those_that_pin_addresses(compose: dict[str, Any], found: object) -> None:
    assert networks(compose) == found


@pytest.mark.parametrize(
    "server", [{}, {"persistence": None}, {"persistence": {"datastores": {"a": {}}}}, []]
)
def test_what_is_no_server_yaml_fixes_nothing(server: Any) -> None:
    with pytest.raises((LookupError, TypeError, AttributeError)):
        fixed_by(server)
