"""Maintenance under load: hosts leave and come back one by one; nothing is lost, nothing charged twice.

All on one cluster with two history hosts; about eight minutes.
"""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.ssh import forward
from tempo_infra.topology import instances, store
from tempo_infra.workload.smoke import SmokeResult, run_smoke
from tests.lab import invariants
from tests.lab.conftest import BRISK, COMMAND, Inventory, Ran, containers
from tests.lab.moments import begun, decided, ended, journal_says, reached

pytestmark = pytest.mark.faults

OWNED = "select count(*) from shards where position(convert_to('{}:7234-', 'UTF8') in data) > 0"
SECOND = (r"roles: \[frontend, (?!history)", "roles: [frontend, history, ")
LEFT = "docker ps -q -f label=com.docker.compose.project=tempo-infra | wc -l"


@pytest.fixture(scope="module")
def both(lab: Lab, inventory: Inventory, fresh: Ran) -> Iterator[Inventory]:
    """The cluster with a second history host, so that shards have somewhere to go."""
    del fresh
    path = inventory.path.with_name("inventory-maintenance.yaml")
    text = re.sub(*BRISK, inventory.path.read_text())
    if len(load(inventory.path).with_role(Role.HISTORY)) < 2:
        text = re.sub(*SECOND, text, count=1)
    path.write_text(text)
    yield Inventory(path)
    for host in lab.hosts:
        decided(host)
    inventory.provision()
    path.unlink()


@pytest.fixture
def two(both: Inventory) -> Inventory:
    """All of it runs, whatever a test before left."""
    both.provision()
    return both


def owned(lab: Lab, inventory: Inventory, host: str) -> int:
    database = lab.host(store(load(inventory.path)).writer.name)
    id_ = database.must(["docker", "ps", "-q", "-f", "label=com.docker.compose.service=postgresql"]).strip()
    statement = OWNED.format(lab.host(host).internal_address)
    words = ["docker", "exec", id_, "psql", "-XqAtU", "postgres", "-d", "temporal", "-c", statement]
    return int(database.must(words))


def under_load(inventory: Inventory, retry_s: float, *words: str) -> tuple[SmokeResult, Ran]:
    """Run subscriptions, and maintenance in the middle of them.

    A refused card is tried three times, `retry_s` apart: so long do workflows go on while hosts come and go.
    """
    front, done = instances(load(inventory.path), Role.FRONTEND)[0].host, list[Ran]()
    maintenance = threading.Thread(target=lambda: done.append(inventory.run("maintain", *words)))
    with forward(front, (front.internal, 7233)) as port:
        result = run_smoke(
            f"127.0.0.1:{port}",
            workflows=40,
            retry_interval_s=retry_s,
            heartbeat_timeout_s=20.0,
            deadline_s=400,
            disturb=maintenance.start,
        )
        maintenance.join()
    return result, done[0]


def history_only(inventory: Inventory) -> str:
    found = [h for h in load(inventory.path).with_role(Role.HISTORY) if not h.has(Role.FRONTEND)]
    return found[0].name


def services(inventory: Inventory, name: str) -> set[str]:
    return {str(role) for role in load(inventory.path).host(name).roles}


def test_a_history_host_is_rebooted_under_load_and_its_shards_move_away_and_back(
    two: Inventory, lab: Lab
) -> None:
    name = history_only(two)
    boot, before = lab.host(name).boot_id(), owned(lab, two, name)
    assert before > 0
    result, ran = under_load(two, 30.0, name, "--reboot")
    assert ran.code == 0, ran.said
    assert result.ok, result.problems
    assert result.completed + result.failed_as_expected == 40
    assert lab.host(name).boot_id() != boot
    assert owned(lab, two, name) > 0
    assert "history: moves to" in ran.out
    assert f"{name}: back, everything is healthy" in ran.out


def test_a_command_runs_on_each_drained_host_one_at_a_time(two: Inventory, lab: Lab) -> None:
    names = [host.name for host in load(two.path).with_role(Role.HISTORY)]
    script = f"{LEFT} > /root/left; date +%s >> /root/left"
    result, ran = under_load(two, 45.0, *names, "--run", script)
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
    name = store(load(two.path)).writer.name
    result, ran = under_load(two, 40.0, name, "--reboot")
    assert ran.code == 0, ran.said
    assert "every service on every host stops in order" in ran.out
    assert result.ok, result.problems
    for host in lab.hosts:
        assert invariants.problems(host.container) == []


def test_a_command_that_fails_brings_the_host_back_and_the_next_is_not_begun(
    two: Inventory, lab: Lab
) -> None:
    first = history_only(two)
    second = next(h.name for h in load(two.path).with_role(Role.HISTORY) if h.name != first)
    ran = two.run("maintain", first, second, "--run", "echo no space left >&2; exit 7")
    assert ran.code == 1
    assert "the command ended with 7; the host was brought back" in ran.said
    assert f"{first} | no space left\n" in ran.out
    assert f"{second}: while it is away" not in ran.out
    assert set(containers(lab, first)) == services(two, first)


def test_a_host_is_handed_to_a_person_who_gives_it_back_by_enter(two: Inventory, lab: Lab) -> None:
    """Nobody reboots it: the session of before would still have its lock."""
    name, said = history_only(two), list[str]()
    terminal, its = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "maintain", name, "-i", two.path],
        stdin=its, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        os.close(its)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if "is drained and yours" in line:
                    assert containers(lab, name) == {}
                    os.write(terminal, b"\n")
        finally:
            os.close(terminal)  # whoever waits for Enter ends then
    assert process.returncode == 0, "".join(said)
    assert f"{name}: back, everything is healthy\n" in said
    assert set(containers(lab, name)) == services(two, name)


def test_an_interrupted_maintenance_says_how_things_stand_and_provision_ends_it(
    two: Inventory, lab: Lab
) -> None:
    name = history_only(two)
    process = begun(two, "maintain", name, "--run", "sleep 20")
    reached(process, journal_says(lab.host(name), "drain"))
    process.send_signal(signal.SIGINT)
    ran = ended(process)
    assert ran.code == 1
    assert "the step that runs now is waited for" in ran.out
    assert f"{name}: being drained" in ran.out
    assert "tempo-infra provision" in ran.out
    assert containers(lab, name) == {}
    time.sleep(2)  # in which the hosts let go of their locks
    two.provision()
    assert set(containers(lab, name)) == services(two, name)
