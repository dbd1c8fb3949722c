"""After a boot every service is back by itself, also when the internal address comes late.

TEMPO_LAB_REBOOTS says how often all hosts are rebooted; 20 times take about ten minutes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.hosts import Host, Lab
from tempo_infra.components import port
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.steps.step import Step
from tempo_infra.topology import instances, store
from tests.lab import invariants
from tests.lab.conftest import Inventory, containers

pytestmark = pytest.mark.faults

TIMES = int(os.environ.get("TEMPO_LAB_REBOOTS", "20"))
BOOT_S, BACK_S = 90.0, 120.0
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
    ports = {str(role): port(role, "grpc") for role in host.temporal_roles}
    steps: list[Step] = [change.Serving(host=host.internal, ports=ports, deadline_s=BACK_S)] if ports else []
    if host.has(Role.POSTGRESQL):
        steps.insert(0, change.PostgresReady(host=host.internal, port=5432, deadline_s=BACK_S))
    with open_session(host, Sudo()) as session:
        session.call(steps)
    return time.monotonic() - started


def ids(lab: Lab) -> dict[tuple[str, str], str]:
    return {
        (host.name, name): one["Id"] for host in lab.hosts for name, one in containers(lab, host.name).items()
    }


def database_first(inventory: Inventory) -> list[str]:
    """Names of hosts in the order in which they can serve again: the others end without a database."""
    hosts = load(inventory.path).hosts
    return [host.name for host in sorted(hosts, key=lambda one: not one.has(Role.POSTGRESQL))]


def test_after_each_of_many_reboots_of_all_hosts_at_once_every_service_is_back(
    cluster: Inventory, lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    order, before = database_first(cluster), ids(lab)
    took: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(TIMES):
        with ThreadPoolExecutor(max_workers=len(lab.hosts)) as pool:
            list(pool.map(lambda host: host.reboot(BOOT_S), lab.hosts))
        for name in order:
            took[name].append(round(until_back(lab, cluster, name), 1))
        assert ids(lab) == before, "nothing was recreated"
        for host in lab.hosts:
            assert invariants.problems(host.container) == [], host.name
    for name, seconds in took.items():
        record_property(f"{name}: seconds after ssh and Docker were back", sorted(seconds))
    assert cluster.run("plan", "--detailed-exitcode").code == 0


@pytest.fixture(params=["a host of Temporal", "the database host"])
def late(request: pytest.FixtureRequest, cluster: Inventory, lab: Lab) -> Iterator[Host]:
    """A host whose internal address appears 20 s after its boot."""
    inventory = load(cluster.path)
    temporal = instances(inventory, Role.FRONTEND)[0].host
    name = (temporal if request.param == "a host of Temporal" else store(inventory).writer).name
    host = lab.host(name)
    address = f"{host.internal_address}/24"
    host.exec(["tee", UNIT], input=LATE)
    host.exec(["tee", PROGRAM], input=SCRIPT.format(address=address, late=LATE_S))
    host.must(["systemctl", "enable", "late-address.service"])
    yield host
    host.must(["systemctl", "disable", "late-address.service"])
    host.must(["rm", "-f", UNIT, PROGRAM])
    host.reboot(BOOT_S)
    for one in database_first(cluster):
        until_back(lab, cluster, one)


def test_services_start_when_the_internal_address_comes_late(
    cluster: Inventory, lab: Lab, late: Host
) -> None:
    before = late.boot_id()
    late.exec(["systemctl", "reboot"])
    end = time.monotonic() + BOOT_S
    while _boot_id(late) in ("", before):
        assert time.monotonic() < end
        time.sleep(0.2)
    docker_up(late)
    assert late.internal_address not in late.must(["ip", "-o", "address"]).replace("/", " ").split()
    assert set(containers(lab, late.name)) == set(), "Docker alone can't start them yet"
    until_back(lab, cluster, late.name)
    assert late.internal_address in late.must(["ip", "-o", "address"]).replace("/", " ").split()


def docker_up(host: Host) -> None:
    """Wait until the engine answers and has tried what it starts by itself."""
    end = time.monotonic() + LATE_S - 5
    while host.exec(["systemctl", "is-active", "docker.service"]).returncode != 0:
        assert time.monotonic() < end
        time.sleep(0.2)


def _boot_id(host: Host) -> str:
    done = host.exec(["cat", "/proc/sys/kernel/random/boot_id"])
    return done.stdout.strip() if done.returncode == 0 else ""
