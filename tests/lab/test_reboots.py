"""After a boot every service is back by itself, also when the internal address comes late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from lab.hosts import Host, Lab
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.wire import Step
from tempo_infra.sizing.temporal import PORTS
from tests.lab.conftest import Inventory, containers

pytestmark = pytest.mark.faults

TIMES = 20
BACK_S = 120.0
LATE_S = 20
UNIT, PROGRAM = "/etc/systemd/system/late-address.service", "/usr/local/sbin/late-address"
LATE = """[Unit]
Before=docker.service network-online.target
DefaultDependencies=no
After=local-fs.target
[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/sbin/late-address
[Install]
WantedBy=multi-user.target
"""
SCRIPT = """
route=$(ip route | grep ^default)
ip address del {address} dev eth0
systemd-run --on-active={late}s sh -c "ip address add {address} dev eth0; ip route replace $route"
"""


def kept(inventory: Inventory, host: str) -> set[str]:
    return {str(role) for role in load(inventory.path).host(host).roles}


def until_back(lab: Lab, inventory: Inventory, name: str) -> float:
    """Wait until every service of a host runs and serves; the seconds that it took."""
    started, wanted = time.monotonic(), kept(inventory, name)
    while set(containers(lab, name)) != wanted:
        assert time.monotonic() < started + BACK_S, f"{name}: {set(containers(lab, name))} of {wanted}"
        time.sleep(0.5)
    host = load(inventory.path).host(name)
    ports = {str(role): PORTS[role].grpc for role in host.temporal_roles}
    steps = [Step("serving", {"host": host.internal, "ports": ports, "deadline_s": BACK_S})] if ports else []
    if host.has(Role.POSTGRESQL):
        steps.append(Step("postgres-ready", {"host": host.internal, "port": 5432, "deadline_s": BACK_S}))
    with open_session(host, Sudo()) as session:
        session.call(steps)
    return time.monotonic() - started


def hosts_of(inventory: Inventory) -> list[str]:
    return [host.name for host in load(inventory.path).hosts]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_after_each_of_20_reboots_every_service_is_back(
    cluster: Inventory, lab: Lab, number: int, record_property: Callable[[str, object], None]
) -> None:
    names = hosts_of(cluster)
    if number >= len(names):
        pytest.skip("the inventory has fewer hosts")
    host, took = lab.host(names[number]), []
    for _ in range(TIMES):
        before = {name: one["Id"] for name, one in containers(lab, host.name).items()}
        host.reboot()
        took.append(until_back(lab, cluster, host.name))
        assert {name: one["Id"] for name, one in containers(lab, host.name).items()} == before
    record_property("seconds after ssh and Docker were back", sorted(round(one, 1) for one in took))
    assert cluster.run("plan", "--detailed-exitcode").code == 0


@pytest.fixture(params=["a host of Temporal", "the database host"])
def late(request: pytest.FixtureRequest, cluster: Inventory, lab: Lab) -> Iterator[Host]:
    """A host whose internal address appears 20 s after its boot."""
    inventory = load(cluster.path)
    temporal = inventory.with_role(Role.FRONTEND)[0]
    name = (temporal if request.param == "a host of Temporal" else inventory.database_host).name
    host = lab.host(name)
    address = f"{host.internal_address}/24"
    host.exec(["tee", UNIT], input=LATE)
    host.exec(["tee", PROGRAM], input=SCRIPT.format(address=address, late=LATE_S))
    host.must(["systemctl", "enable", "late-address.service"])
    yield host
    host.must(["systemctl", "disable", "late-address.service"])
    host.must(["rm", "-f", UNIT, PROGRAM])
    host.reboot()
    until_back(lab, cluster, host.name)


def test_services_start_when_the_internal_address_comes_late(
    cluster: Inventory, lab: Lab, late: Host
) -> None:
    before = late.boot_id()
    late.exec(["systemctl", "reboot"])
    end = time.monotonic() + 60
    while _boot_id(late) in ("", before):
        assert time.monotonic() < end
        time.sleep(0.2)
    docker_up(late)
    assert late.internal_address not in late.must(["ip", "-o", "address"])
    published = kept(cluster, late.name)
    assert not published & set(containers(lab, late.name)), "Docker alone can't start them yet"
    until_back(lab, cluster, late.name)
    assert late.internal_address in late.must(["ip", "-o", "address"])


def docker_up(host: Host) -> None:
    """Wait until the engine answers and has tried what it starts by itself."""
    end = time.monotonic() + LATE_S - 5
    while host.exec(["systemctl", "is-active", "docker.service"]).returncode != 0:
        assert time.monotonic() < end
        time.sleep(0.2)


def _boot_id(host: Host) -> str:
    done = host.exec(["cat", "/proc/sys/kernel/random/boot_id"])
    return done.stdout.strip() if done.returncode == 0 else ""
