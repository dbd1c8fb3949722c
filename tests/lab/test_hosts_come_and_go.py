"""Hosts leave the inventory, die, come back, are replaced: with starts of workflows all the while.

Three hosts of their own, named by TEMPO_LAB_TRIO (extra-3,extra-4,extra-5 if it is not set); the first has
the database. `python3 -m lab up --hosts 8` starts them. About 20 minutes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab import faults
from lab.hosts import Host, Lab
from tempo_infra.on_host import ring
from tests.lab.conftest import Inventory, Ran, claim, running_lab
from tests.lab.shapes.workload import Workload

pytestmark = pytest.mark.faults

NAMES = os.environ.get("TEMPO_LAB_TRIO", "extra-3,extra-4,extra-5").split(",")
TEMPORAL = "history, matching, worker, frontend"
ROLES = (f"postgresql, {TEMPORAL}", f"{TEMPORAL}, ui", TEMPORAL)
ENTRY = """
  {name}:
    address: {host.ssh_address}
    internal: {host.internal_address}
    class: C-Series
    roles: [{roles}]
    resources: {{vcpu: 2, memory: 4GiB, disk: {{kind: unknown, size: 20GiB}}}}
"""
ACCEPTED_S = 30.0  # a client tries for so long, on one frontend after the other
SERVICES = "docker ps --format '{{.Names}}' --filter label=com.docker.compose.project=tempo-infra"


@pytest.fixture(scope="module")
def trio() -> Lab:
    lab = running_lab("python3 -m lab up --hosts 8")
    claim(lab.root, NAMES)
    return lab


@dataclass(frozen=True)
class Cluster:
    """Inventories of one cluster with some of the hosts."""

    lab: Lab

    def of(self, *numbers: int, more: str = "") -> Inventory:
        """The file with these hosts, by their place."""
        base = (self.lab.root / "inventory.yaml").read_text().partition("\nhosts:")[0]
        text = base.replace("cluster: lab", "cluster: comings")
        text += "\nrollout: {decide_after: 20s, soak: 1s}\n\nsecrets: {file: secrets-comings.age}\n"
        text += f"{more}\nhosts:\n"
        text += "".join(ENTRY.format(name=NAMES[n], host=self.host(n), roles=ROLES[n]) for n in numbers)
        path = self.lab.root / "inventory-comings.yaml"
        path.write_text(text)
        return Inventory(path)

    def host(self, number: int) -> Host:
        return self.lab.host(NAMES[number])

    def ring(self, number: int) -> set[str]:
        """The addresses in the ring, as one host's frontend sees it."""
        members = ring.read(self.host(number).internal_address, 7233)
        return {one.partition(" ")[2].rpartition(":")[0] for one in members}

    def addresses(self, *numbers: int) -> set[str]:
        return {self.host(n).internal_address for n in numbers}


@pytest.fixture
def cluster(trio: Lab) -> Iterator[Cluster]:
    """Hosts with empty disks."""
    trio.reset(NAMES)
    (trio.root / "secrets-comings.age").unlink(missing_ok=True)
    yield Cluster(trio)
    for name in ("inventory-comings.yaml", "secrets-comings.age"):
        (trio.root / name).unlink(missing_ok=True)


def of(cluster: Cluster, *numbers: int) -> Workload:
    return Workload([cluster.host(n).internal_address for n in numbers], longest_s=ACCEPTED_S)


def runs(host: Host) -> set[str]:
    return {one.split("-")[2] for one in host.must(["sh", "-c", SERVICES]).split()}


def nothing_to_do(inventory: Inventory) -> None:
    ran = inventory.run("plan --no-diff --detailed-exitcode")
    assert ran.code == 0, ran.said


def members(inventory: Inventory, *words: str) -> Ran:
    return inventory.run("check-host --quick --only temporal.members", *words)


def test_a_host_that_was_deleted_from_the_file_is_named_and_leaves_with_no_start_refused(
    cluster: Cluster,
) -> None:
    cluster.of(0, 1, 2).provision()
    smaller = cluster.of(0, 1)
    plan = smaller.run("plan --no-diff")
    assert plan.code == 1
    assert f"{NAMES[2]}" in plan.out
    assert "left the inventory, and is still in the cluster" in " ".join(plan.out.split())
    before = runs(cluster.host(2))
    refused = smaller.run("provision")
    assert refused.code == 1
    assert f"provision -i {smaller.path} --gone {NAMES[2]}" in refused.said
    assert runs(cluster.host(2)) == before
    assert cluster.ring(0) == cluster.addresses(0, 1, 2)
    with of(cluster, 0, 1).all_along() as starts:
        ran = smaller.provision("--gone", NAMES[2])
    assert (starts.refused, starts.lost) == ([], [])
    assert len(starts.accepted) > 10
    assert f"{NAMES[2]}: drained" in ran.out
    assert runs(cluster.host(2)) == set()
    assert cluster.host(2).must(["ls", "/var/lib/tempo-infra"]).split() in ([], ["lock"])
    assert cluster.ring(0) == cluster.ring(1) == cluster.addresses(0, 1)
    nothing_to_do(smaller)
    assert members(smaller).code == 0
    assert smaller.run("smoke --workflows 20").code == 0


def test_a_dead_host_is_taken_out_and_is_shut_out_when_it_comes_back(cluster: Cluster) -> None:
    smaller = cluster.of(0, 1, 2)
    smaller.provision()
    address = cluster.host(2).internal_address
    with faults.switched_off(cluster.host(2)), of(cluster, 0, 1).all_along() as starts:
        ran = smaller.run("host remove", NAMES[2])
        assert ran.code == 0, ran.said
        assert f"{NAMES[2]} has left the cluster" in ran.out
        assert f"{NAMES[2]}:" not in smaller.path.read_text()
        nothing_to_do(smaller)
    assert (starts.refused, starts.lost) == ([], [])
    end = time.monotonic() + 120
    while address not in members(smaller).out and time.monotonic() < end:
        time.sleep(5)
    knocks = members(smaller, "--format", "json")
    assert f"logins refused: {address}" in knocks.out
    assert cluster.ring(0) == cluster.addresses(0, 1)  # it knocks, and gets no further
    plan = smaller.run("plan --no-diff")
    assert f"--gone {NAMES[2]}" in " ".join(plan.out.split())
    with of(cluster, 0, 1).all_along() as starts:
        smaller.provision()  # it harms nobody, and keeps nobody from working
    assert (starts.refused, starts.lost) == ([], [])
    smaller.provision("--gone", NAMES[2])
    assert runs(cluster.host(2)) == set()


def test_a_host_that_was_only_cut_off_is_found_in_the_ring_and_stopped(cluster: Cluster) -> None:
    cluster.of(0, 1, 2).provision()
    smaller = cluster.of(0, 1)
    host, address = cluster.host(2), cluster.host(2).internal_address
    with (
        faults.vanished(cluster.host(0), host),
        faults.vanished(cluster.host(1), host),
        faults.ssh_dropped(host),
    ):
        smaller.provision("--gone", NAMES[2])
    end = time.monotonic() + 120
    while address not in cluster.ring(0) and time.monotonic() < end:
        time.sleep(2)
    if address in cluster.ring(0):  # else its servers have ended by themselves
        assert members(smaller).code == 1
        refused = smaller.run("provision")
        assert refused.code == 1
        assert "still in the cluster" in refused.said
    smaller.provision("--gone", NAMES[2])
    assert cluster.ring(0) == cluster.addresses(0, 1)
    assert runs(host) == set()


def test_one_host_is_changed_while_another_one_is_dead(cluster: Cluster) -> None:
    cluster.of(0, 1, 2).provision()
    changed = cluster.of(0, 1, 2, more="overrides: {temporal: {frontend.namespaceRPS: 1234}}\n")
    with faults.switched_off(cluster.host(2)):
        time.sleep(35)  # its rows have ended
        whole = changed.run("provision")
        assert whole.code == 3
        assert f"provision -i {changed.path} --without {NAMES[2]}" in whole.said
        one = changed.provision("--host", NAMES[1])
        assert "1 changed, 0 unchanged" in one.out
        rest = changed.provision("--without", NAMES[2])
        assert f"left out: {NAMES[2]}" in rest.out
        assert changed.run("provision", "--without", NAMES[0]).code == 2
    back = changed.run("plan --no-diff")
    assert f"{NAMES[2]}\n" in back.out
    changed.provision()
    nothing_to_do(changed)
    assert cluster.ring(0) == cluster.addresses(0, 1, 2)


def test_another_machine_takes_a_hosts_place(cluster: Cluster) -> None:
    two = cluster.of(0, 1)
    two.provision()
    new = cluster.host(2)
    words = ("--address", new.ssh_address, "--internal", new.internal_address)
    refused = two.run("host replace", NAMES[0], NAMES[2], *words)
    assert refused.code == 2
    assert "holds the database" in refused.said
    with of(cluster, 0).all_along() as starts:
        ran = two.run("host replace", NAMES[1], NAMES[2], *words)
    assert ran.code == 0, ran.said
    assert (starts.refused, starts.lost) == ([], [])
    text = two.path.read_text()
    assert f"{NAMES[1]}:" not in text
    assert f"{NAMES[2]}:" in text
    assert cluster.ring(0) == cluster.addresses(0, 2)
    assert runs(cluster.host(1)) == set()
    assert runs(new) == {"history", "matching", "worker", "frontend", "ui"}
