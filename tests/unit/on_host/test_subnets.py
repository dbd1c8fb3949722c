"""Who has the addresses of a network on a host."""

from __future__ import annotations

from typing import Any

import pytest

from tempo_infra.on_host import engine, subnets
from tempo_infra.on_host.compose_network import differs
from tempo_infra.on_host.routes import Route
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.subnets import Subnets, look, overlap, problems

NET = "172.30.0.0/24"
OURS = {"com.docker.compose.project": "tempo-infra", "com.docker.compose.network": "default"}


def network(name: str, subnet: str, labels: dict[str, str] | None = None, bridge: str = "") -> dict[str, Any]:
    options = {"com.docker.network.bridge.name": bridge} if bridge else None
    ipam = {"Config": [{"Subnet": subnet}, {"Subnet": "fd00::/64"}]}
    return {"Name": name, "Id": f"{name}0123456789abcdef", "Labels": labels, "IPAM": ipam, "Options": options}


def host(monkeypatch: pytest.MonkeyPatch, networks: object, *found: Route) -> None:
    def answer(**_: object) -> object:
        if isinstance(networks, Exception):
            raise networks
        return networks

    monkeypatch.setattr(engine, "networks", answer)
    monkeypatch.setattr(subnets, "routes", lambda: list(found))


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        (NET, NET, True),
        (NET, "172.16.0.0/12", True),
        ("10.0.0.0/8", "10.200.3.0/28", True),
        (NET, "172.30.0.200/32", True),
        (NET, "172.30.1.0/24", False),
        ("192.168.230.0/24", "192.168.231.7/32", False),
        ("10.0.0.16/28", "10.0.0.0/28", False),
    ],
)
def test_two_networks_overlap(one: str, other: str, *, do: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is do


@pytest.mark.parametrize(
    ("networks", "found", "by"),
    [
        ([network("shop", "172.30.0.0/16")], [], ["Docker's network shop (172.30.0.0/16)"]),
        (
            [network("bridge", NET, bridge="docker0")],
            [Route(NET, "docker0")],
            [f"Docker's network bridge ({NET})"],
        ),
        ([], [Route("172.16.0.0/12", "wg0", "10.0.0.1")], ["the route 172.16.0.0/12 via 10.0.0.1 (wg0)"]),
        ([], [Route("172.30.0.9/32", "eth1", local=True)], ["the address 172.30.0.9 (eth1)"]),
        (
            [],
            [Route("172.30.0.0/20", "eth1"), Route("172.30.0.9/32", "eth1", local=True)],
            ["the route 172.30.0.0/20 (eth1)"],
        ),
        ([], [Route("0.0.0.0/0", "eth0", "10.0.0.1"), Route("128.0.0.0/1", "tun0")], []),
        (
            [network("us", NET, OURS)],
            [Route(NET, "br-us0123456789"), Route("172.30.0.1/32", "br-us0123456789")],
            [],
        ),
        ([network("shop", "172.31.0.0/16")], [Route("10.0.0.0/24", "eth0")], []),
        (
            engine.NobodyThereError("no engine"),
            [Route("172.30.0.0/15", "eth1")],
            ["the route 172.30.0.0/15 (eth1)"],
        ),
    ],
)
def test_each_who_has_it_is_named_once_and_ours_never(
    monkeypatch: pytest.MonkeyPatch, networks: object, found: list[Route], by: list[str]
) -> None:
    host(monkeypatch, networks, *found)
    told = look([NET, "10.200.0.0/24"], deadline_s=1)
    assert told.held == {NET: by, "10.200.0.0/24": []}
    assert problems(told, NET) == [f"the containers' network {NET} overlaps {one}" for one in by]


def test_an_engine_that_does_not_answer_is_no_free_network(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, StepError("no answer"), Route("172.16.0.0/12", "wg0"))
    with pytest.raises(StepError, match="no answer"):
        look([NET], deadline_s=1)


def test_what_our_network_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, [network("us", "172.29.0.0/24", OURS), network("shop", NET)])
    assert look([], deadline_s=1) == Subnets({}, {"default": ["172.29.0.0/24"]})


@pytest.mark.parametrize(
    ("ours", "wanted", "do"),
    [
        ({"default": [NET]}, {"default": [NET]}, False),
        ({"default": [NET]}, {"default": ["172.29.0.0/24"]}, True),
        ({}, {"default": [NET]}, False),
        ({"default": [NET]}, {"default": []}, False),
        ({"default": [NET]}, {}, False),
    ],
)
def test_a_network_is_made_anew_when_its_addresses_differ(
    ours: dict[str, list[str]], wanted: dict[str, list[str]], *, do: bool
) -> None:
    assert differs(ours, wanted) is do
