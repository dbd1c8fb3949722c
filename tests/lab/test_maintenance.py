"""Maintenance under load: hosts leave and come back one by one; nothing is lost, nothing charged twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.ssh import forward
from tempo_infra.workload.smoke import SmokeResult, run_smoke
from tests.lab import invariants
from tests.lab.conftest import Inventory, Ran, Variants, containers
from tests.lab.moments import begun, ended, journal_says, when

pytestmark = pytest.mark.faults

OWNED = "select count(*) from shards where position(convert_to('{}:7234-', 'UTF8') in data) > 0"


@pytest.fixture
def two(cluster: Inventory, variant: Variants) -> Iterator[Inventory]:
    """The cluster with a second history host, so that shards have somewhere to go."""
    if len(load(cluster.path).with_role(Role.HISTORY)) > 1:
        yield cluster
        return
    two = variant((r"roles: \[frontend, ", "roles: [frontend, history, "))
    two.provision()
    yield two
    cluster.provision()


def owned(lab: Lab, inventory: Inventory, host: str) -> int:
    database = lab.host(load(inventory.path).database_host.name)
    id_ = database.must(["docker", "ps", "-q", "-f", "label=com.docker.compose.service=postgresql"]).strip()
    statement = OWNED.format(lab.host(host).internal_address)
    words = ["docker", "exec", id_, "psql", "-XqAtU", "postgres", "-d", "temporal", "-c", statement]
    return int(database.must(words))


def under_load(inventory: Inventory, *words: str) -> tuple[SmokeResult, Ran]:
    """Run subscriptions, and maintenance in the middle of them."""
    cluster, done = load(inventory.path), []
    front = cluster.with_role(Role.FRONTEND)[0]

    def maintain() -> None:
        done.append(inventory.run("maintain", *words))

    with forward(front, (front.internal, 7233)) as port:
        result = run_smoke(
            f"127.0.0.1:{port}", workflows=40, retry_interval_s=5.0, deadline_s=400, disturb=maintain
        )
    return result, done[0]


def history_only(inventory: Inventory) -> str:
    found = [h for h in load(inventory.path).with_role(Role.HISTORY) if not h.has(Role.FRONTEND)]
    return found[0].name


def test_a_history_host_is_rebooted_under_load_and_its_shards_move_away_and_back(
    two: Inventory, lab: Lab
) -> None:
    name = history_only(two)
    boot, before = lab.host(name).boot_id(), owned(lab, two, name)
    assert before > 0
    result, ran = under_load(two, name, "--reboot")
    assert ran.code == 0, ran.said
    assert result.ok, result.problems
    assert result.completed + result.failed_as_expected == 40
    assert lab.host(name).boot_id() != boot
    assert owned(lab, two, name) > 0
    assert "history: moves to" in ran.out
    assert f"{name}: back, everything is healthy" in ran.out


def test_a_command_runs_on_each_drained_host_one_at_a_time(two: Inventory, lab: Lab) -> None:
    names = [host.name for host in load(two.path).with_role(Role.HISTORY)]
    count = "docker ps -q -f label=com.docker.compose.project=tempo-infra | wc -l"
    script = f"{count} > /root/left; date +%s >> /root/left"
    result, ran = under_load(two, *names, "--run", script)
    assert ran.code == 0, ran.said
    assert result.ok, result.problems
    told = [lab.host(name).must(["cat", "/root/left"]).split() for name in names]
    assert [running for running, _ in told] == ["0"] * len(names)
    assert told == sorted(told, key=lambda one: one[1])
    for name in names:
        lab.host(name).must(["rm", "/root/left"])
        assert invariants.problems(lab.host(name).container) == []


def test_for_the_database_host_everything_stops_in_order_and_no_workflow_is_lost(
    two: Inventory, lab: Lab
) -> None:
    name = load(two.path).database_host.name
    result, ran = under_load(two, name, "--reboot")
    assert ran.code == 0, ran.said
    assert "every service on every host stops in order" in ran.out
    assert result.ok, result.problems
    for host in lab.hosts:
        assert invariants.problems(host.container) == []


def test_a_command_that_fails_brings_the_host_back_and_the_next_is_not_begun(
    two: Inventory, lab: Lab
) -> None:
    first, second = (host.name for host in load(two.path).with_role(Role.HISTORY)[:2])
    ran = two.run("maintain", first, second, "--run", "echo no space left >&2; exit 7")
    assert ran.code == 1
    assert "the command ended with 7: no space left" in ran.said
    assert f"{second}: while it is away" not in ran.out
    assert set(containers(lab, first)) == {str(role) for role in load(two.path).host(first).roles}


def test_an_interrupted_maintenance_says_how_things_stand_and_provision_ends_it(
    two: Inventory, lab: Lab
) -> None:
    name = history_only(two)
    process = begun(two, "maintain", name, "--run", "sleep 20")
    with when(journal_says(lab.host(name), "drain"), lambda: process.send_signal(signal.SIGINT)) as done:
        assert done.wait(120)
    ran = ended(process)
    assert ran.code == 1
    assert f"{name}: " in ran.out
    assert "tempo-infra provision" in ran.out
    time.sleep(2)
    two.provision()
    assert set(containers(lab, name)) == {str(role) for role in load(two.path).host(name).roles}
