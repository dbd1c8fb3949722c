"""The containers' network: who has its addresses is named before anything is touched; it can be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.topology import store
from tests.lab.conftest import BRISK, Inventory, Variants, containers

pytestmark = pytest.mark.faults
OTHER = "10.213.0.0/24"
CHOSEN = (r"(?m)^limits:", f"subnet: {OTHER}\nlimits:")
LINK = "ip link add planted type bridge && ip link set planted up"
Plant = Callable[[Host], AbstractContextManager[None]]


def done(add: str, remove: str) -> Plant:
    @contextmanager
    def plant(host: Host) -> Iterator[None]:
        host.must(["sh", "-c", add])
        try:
            yield
        finally:
            host.must(["sh", "-c", remove])

    return plant


HELD: list[tuple[str, Plant, str]] = [
    (
        "network of Docker's",
        done("docker network create --subnet 10.213.0.0/16 planted", "docker network rm planted"),
        "Docker's network planted (10.213.0.0/16)",
    ),
    (
        "route",
        done(f"{LINK} && ip route add 10.192.0.0/11 dev planted table 77", "ip link del planted"),
        "the route 10.192.0.0/11 (planted)",
    ),
    (
        "address",
        done(f"{LINK} && ip addr add 10.213.0.77/32 dev planted", "ip link del planted"),
        "the address 10.213.0.77 (planted)",
    ),
]


@pytest.fixture
def chosen(brisk: Inventory, variant: Variants) -> Inventory:
    return variant(BRISK, CHOSEN)


def subnet(host: Host) -> str:
    shown = "{{range .IPAM.Config}}{{.Subnet}}{{end}}"
    return host.must(["docker", "network", "inspect", "tempo-infra_default", "-f", shown]).strip()


def ids(lab: Lab, host: Host) -> dict[str, str]:
    return {name: str(one["Id"]) for name, one in containers(lab, host.name).items()}


@pytest.mark.parametrize(("plant", "says"), [row[1:] for row in HELD], ids=[row[0] for row in HELD])
def test_who_has_the_addresses_is_named_and_nothing_is_touched(
    lab: Lab, chosen: Inventory, plant: Plant, says: str
) -> None:
    host = lab.host(store(load(chosen.path)).writer.name)
    before = subnet(host), ids(lab, host)
    with plant(host):
        ran = chosen.run("provision")
        assert ran.code == 1, ran.said
        assert says in " ".join(ran.said.split())
        assert (subnet(host), ids(lab, host)) == before


def test_a_cluster_moves_to_another_network_and_back(lab: Lab, brisk: Inventory, chosen: Inventory) -> None:
    """Compose itself would keep the old one: `pg_hba.conf` would let addresses in that nobody has."""
    names = [one.name for one in load(chosen.path).hosts]
    before = {name: subnet(lab.host(name)) for name in names}
    plan = " ".join(chosen.run("plan").said.split())
    assert f"the containers' network becomes {OTHER}" in plan
    try:
        chosen.provision()
        assert {subnet(lab.host(name)) for name in names} == {OTHER}
        assert chosen.run("plan", "--detailed-exitcode").code == 0
    finally:
        brisk.provision()
    assert {name: subnet(lab.host(name)) for name in names} == before
