"""Leaving: with `remove` nothing of ours but the data is left; with `eject` a person needs Docker only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.topology import instances, store
from tests.lab import invariants
from tests.lab.conftest import Inventory, containers, starts

pytestmark = pytest.mark.faults

STATE = "/var/lib/tempo-infra"
ASIDE = "taken-over"  # in it: copies of files that somebody else wrote or edited
IDENTIFIER = "select system_identifier from pg_control_system()"
# The state folder is a mount of its own on lab hosts, so it can't be taken away there, only what is in it.
OURS = (
    "find /etc /run /usr/local /root /home /var/lib -xdev -path /var/lib/docker -prune "
    f"-o -path /var/lib/containerd -prune -o -path {STATE} -prune -o -name '*tempo*' -print"
)
SCOPE = "tempo-infra-run-"  # of the run itself: gone with it, in a moment
GONE_S = 10.0


@pytest.fixture
def back(brisk: Inventory) -> Iterator[Inventory]:
    """The cluster, provisioned again at the end."""
    yield brisk
    brisk.provision("--take-over")


def sql(lab: Lab, inventory: Inventory, statement: str) -> str:
    host = lab.host(store(load(inventory.path)).writer.name)
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


def ours(host: Host) -> list[str]:
    """Files and units of ours beside data and state, once the run that took them away is over."""
    end = time.monotonic() + GONE_S
    while True:
        found = host.exec(["sh", "-c", OURS]).stdout.split()
        for words in ("list-units --all", "list-unit-files"):
            done = host.exec(["systemctl", *words.split(), "--no-legend", "--plain", "tempo-infra*"])
            found += [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
        if not any(SCOPE in one for one in found) or time.monotonic() > end:
            return found
        time.sleep(0.5)


def swappiness(host: Host) -> str:
    return host.must(["sysctl", "-n", "vm.swappiness"]).strip()


def test_a_removed_host_has_nothing_of_ours_but_data_and_the_next_provision_finds_it(
    back: Inventory, lab: Lab
) -> None:
    name, database = load(back.path).name, lab.host(store(load(back.path)).writer.name)
    identifier = sql(lab, back, IDENTIFIER)
    sql(lab, back, "create table if not exists kept (); insert into kept default values")
    before = {
        host.name: json.loads(host.must(["cat", f"{STATE}/kernel-before.json"]))["proc/sys/vm/swappiness"]
        for host in lab.hosts
    }
    assert {one: swappiness(lab.host(one)) for one in before} != before, "the provision set it"
    database.must(["sh", "-c", "echo '# mine' >> /etc/sysctl.d/60-tempo-infra.conf"])
    # Other tests share the hosts: what was kept aside for them stays as well.
    aside = {one.name for one in lab.hosts if one.exec(["test", "-e", f"{STATE}/{ASIDE}"]).returncode == 0}
    ran = back.run("remove", "--confirm-remove", name)
    assert ran.code == 0, ran.said
    assert "stays: /srv/tempo/postgres, with all data" in ran.out
    assert f"edited by somebody, kept aside: {STATE}/{ASIDE}/" in ran.out
    for host in lab.hosts:
        assert containers(lab, host.name) == {}
        assert ours(host) == [], host.name
        stays = [ASIDE] if host.name in {database.name, *aside} else []
        assert host.must(["ls", "-A", STATE]).split() == stays, host.name
        assert "tempo-infra" not in host.must(["docker", "network", "ls"])
        assert swappiness(host) == before[host.name]
    again = back.run("remove", "--confirm-remove", name)
    assert again.code == 0
    assert again.out.count("nothing of ours is there") == len(lab.hosts)
    assert database.must(["cat", "/srv/tempo/postgres/data/PG_VERSION"]).strip() == "17"
    back.provision()
    assert sql(lab, back, IDENTIFIER) == identifier
    assert int(sql(lab, back, "select count(*) from kept")) >= 1
    assert back.run("smoke", "--workflows", "8").code == 0
    for host in lab.hosts:
        assert invariants.problems(host.container) == []


def test_an_ejected_cluster_lives_by_docker_alone_and_can_be_taken_back(back: Inventory, lab: Lab) -> None:
    cluster = load(back.path)
    started = starts(lab)
    ran = back.run("eject", "--confirm-eject", cluster.name)
    assert ran.code == 0, ran.said
    assert starts(lab) == started, "nothing was restarted"
    for host in lab.hosts:
        left = set(host.must(["ls", STATE]).split())
        assert left - {"initdb", "pgdata", ASIDE} == {
            "README.md", "docker-compose.yml", "secrets", "services",
        }, host.name  # fmt: skip
    order = [store(cluster).writer.name, *(h.name for h in cluster.hosts if not h.has(Role.POSTGRESQL))]
    for name in reversed(order):
        lab.host(name).must(["sh", "-c", f"cd {STATE} && docker compose down"], timeout=180)
        assert containers(lab, name) == {}
    for name in order:
        lab.host(name).must(["sh", "-c", f"cd {STATE} && docker compose up -d"], timeout=180)
    smokes(back)
    host = lab.host(instances(cluster, Role.FRONTEND)[0].host.name)
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
