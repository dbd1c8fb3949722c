"""`network: host`: the cluster serves, and its ports are bound on the internal address and no other."""

from __future__ import annotations

import re

import pytest

from lab.hosts import Lab
from tests.lab.conftest import Inventory, Variants, containers

pytestmark = pytest.mark.faults  # of the long ones: every service is recreated, there and back

PORTS = {
    "front-1": {7233, 6933, 7235, 6935, 7239, 6939},
    "history-1": {7234, 6934},
    "db-1": {5432},
}


def listening(lab: Lab, host: str) -> dict[int, set[str]]:
    """The addresses by port, without the loopback."""
    found: dict[int, set[str]] = {}
    for line in lab.host(host).must(["ss", "-Hltn"]).splitlines():
        address, _, port = line.split()[3].rpartition(":")
        if not address.startswith(("127.", "[::1]")):
            found.setdefault(int(port), set()).add(address)
    return found


def test_services_serve_from_the_hosts_own_network_and_bind_the_internal_address_only(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    shared = variant((r"\nlimits:", "\nnetwork: host\n\nlimits:"), name="host-network")
    planned = shared.run("plan")
    assert "! accepted risk: host-network: services can bind any address" in re.sub(r"\s+", " ", planned.out)
    shared.provision()
    for host, ports in PORTS.items():
        item = containers(lab, host)
        modes = {name: one["HostConfig"]["NetworkMode"] for name, one in item.items()}
        assert {name for name, mode in modes.items() if mode == "host"} == set(modes) - {"ui"}
        found = listening(lab, host)
        internal = next(one for one in lab.hosts if one.name == host).internal_address
        assert {port: found.get(port) for port in ports} == {port: {internal} for port in ports}
    smoke = shared.run("smoke")
    assert smoke.code == 0, smoke.said
    cluster.provision()
    assert not {
        name
        for host in PORTS
        for name, one in containers(lab, host).items()
        if one["HostConfig"]["NetworkMode"] == "host"
    }
