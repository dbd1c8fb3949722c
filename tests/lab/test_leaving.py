"""Leaving: with `remove` nothing of ours but the data is left; with `eject` a person needs Docker only."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tests.lab import invariants
from tests.lab.conftest import Inventory, containers

pytestmark = pytest.mark.faults

STATE = "/var/lib/tempo-infra"
IDENTIFIER = "select system_identifier from pg_control_system()"
OURS = (
    "find /etc /run /usr/local /root /home /var/lib -xdev -path /var/lib/docker -prune "
    "-o -path /var/lib/containerd -prune -o -name '*tempo*' -print"
)


@pytest.fixture
def back(cluster: Inventory) -> Iterator[Inventory]:
    """The cluster, provisioned again at the end."""
    yield cluster
    cluster.provision("--take-over")


def sql(lab: Lab, inventory: Inventory, statement: str) -> str:
    host = lab.host(load(inventory.path).database_host.name)
    label = "label=com.docker.compose.service=postgresql"
    id_ = host.must(["docker", "ps", "-q", "-f", label]).strip()
    return host.must(["docker", "exec", id_, "psql", "-XqAtU", "postgres", "-c", statement]).strip()


def test_the_name_must_be_typed(cluster: Inventory, lab: Lab) -> None:
    before = [containers(lab, host.name).keys() for host in lab.hosts]
    for words in ((), ("--confirm-remove", "another")):
        ran = cluster.run("remove", *words)
        assert ran.code == 2
        assert "nothing was contacted" in ran.said
    assert [containers(lab, host.name).keys() for host in lab.hosts] == before


def test_a_removed_host_has_nothing_of_ours_but_data_and_the_next_provision_finds_it(
    back: Inventory, lab: Lab
) -> None:
    name, database = load(back.path).name, lab.host(load(back.path).database_host.name)
    identifier = sql(lab, back, IDENTIFIER)
    sql(lab, back, "create table if not exists kept (); insert into kept default values")
    live = {
        host.name: host.must(["sysctl", "-n", "vm.swappiness", "vm.dirty_bytes", "net.core.somaxconn"])
        for host in lab.hosts
    }
    database.exec(["sh", "-c", "echo '# mine' >> /etc/sysctl.d/60-tempo-infra.conf"])
    ran = back.run("remove", "--confirm-remove", name)
    assert ran.code == 0, ran.said
    assert "stays: /srv/tempo/postgres, with all data" in ran.out
    assert f"edited by somebody, kept aside: {STATE}/taken-over/" in ran.out
    for host in lab.hosts:
        assert containers(lab, host.name) == {}
        found = [line for line in host.must(["sh", "-c", OURS]).split() if "/taken-over" not in line]
        assert found == ([STATE] if host is database else []), host.name
        units = host.must(["systemctl", "list-units", "--all", "--no-legend", "tempo-infra*"])
        units += host.must(["systemctl", "list-unit-files", "--no-legend", "tempo-infra*"])
        assert [line for line in units.splitlines() if ".scope" not in line] == []
        assert "tempo-infra" not in host.must(["docker", "network", "ls"])
    assert live
    again = back.run("remove", "--confirm-remove", name)
    assert again.code == 0
    assert again.out.count("nothing of ours is there") == len(lab.hosts)
    assert database.must(["cat", "/srv/tempo/postgres/PG_VERSION"]).strip() == "17"
    back.provision()
    assert sql(lab, back, IDENTIFIER) == identifier
    assert int(sql(lab, back, "select count(*) from kept")) >= 1
    assert back.run("smoke", "--workflows", "8").code == 0
    for host in lab.hosts:
        assert invariants.problems(host.container) == []


def test_an_ejected_cluster_lives_by_docker_alone_and_can_be_taken_back(back: Inventory, lab: Lab) -> None:
    cluster = load(back.path)
    started = {
        h.name: {s: c["State"]["StartedAt"] for s, c in containers(lab, h.name).items()} for h in lab.hosts
    }
    ran = back.run("eject", "--confirm-eject", cluster.name)
    assert ran.code == 0, ran.said
    now = {
        h.name: {s: c["State"]["StartedAt"] for s, c in containers(lab, h.name).items()} for h in lab.hosts
    }
    assert now == started  # nothing was restarted
    for host in lab.hosts:
        left = set(host.must(["ls", STATE]).split())
        assert left - {"initdb"} == {"README.md", "docker-compose.yml", "secrets", "services"}, host.name
    order = [cluster.database_host.name, *(h.name for h in cluster.hosts if not h.has(Role.POSTGRESQL))]
    for name in reversed(order):
        lab.host(name).must(["sh", "-c", f"cd {STATE} && docker compose down"], timeout=180)
        assert containers(lab, name) == {}
    for name in order:
        lab.host(name).must(["sh", "-c", f"cd {STATE} && docker compose up -d"], timeout=180)
    smokes(back)
    host = lab.host(cluster.with_role(Role.FRONTEND)[0].name)
    wanted = set(containers(lab, host.name))
    host.reboot()
    end = time.monotonic() + 90
    while set(containers(lab, host.name)) != wanted:
        assert time.monotonic() < end, set(containers(lab, host.name))
        time.sleep(1)
    smokes(back)
    assert back.run("eject", "--confirm-eject", cluster.name).code == 0
    assert back.run("provision").code == 1  # the unit is the person's now
    back.provision("--take-over")
    for one in lab.hosts:
        assert invariants.problems(one.container) == []


def smokes(inventory: Inventory) -> None:
    """Insist that workflows complete, once the services have found each other."""
    end = time.monotonic() + 120
    while (ran := inventory.run("smoke", "--workflows", "8")).code != 0:
        assert time.monotonic() < end, ran.said
        time.sleep(3)
