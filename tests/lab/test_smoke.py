"""The subscription workflow on the cluster, through ssh: nothing is charged twice, nothing is lost."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.ssh import forward
from tempo_infra.workload.smoke import run_smoke
from tests.lab.conftest import Inventory, containers

FRONTEND = ("10.99.0.11", 7233)
BLOCK = ["-s", "10.99.0.1", "-p", "tcp", "--dport", "7233", "-j", "DROP"]


@pytest.fixture
def no_direct_way(lab: Lab) -> Iterator[None]:
    """The operator's machine can reach the frontend by ssh only, as from an office."""
    front = lab.host("front-1")
    front.must(["iptables", "-I", "DOCKER-USER", *BLOCK])
    try:
        with pytest.raises(OSError), socket.create_connection(FRONTEND, timeout=2):  # noqa: PT011 - any refusal will do
            pass
        yield
    finally:
        front.must(["iptables", "-D", "DOCKER-USER", *BLOCK])


@pytest.mark.usefixtures("no_direct_way")
def test_a_killed_worker_loses_nothing_and_charges_nothing_twice(cluster: Inventory) -> None:
    ran = cluster.run("smoke", "--workflows", "12", "--format", "json")
    assert ran.code == 0, ran.said
    result = json.loads(ran.out)
    assert result["problems"] == []
    assert result["killed_pid"]
    assert result["resumed"] > 0
    assert result["completed"] + result["failed_as_expected"] == 12


@pytest.mark.usefixtures("no_direct_way")
def test_a_killed_history_service_loses_nothing_and_charges_nothing_twice(
    cluster: Inventory, lab: Lab
) -> None:
    """kill -9 of the history container's process in the middle of the run; Docker starts it again."""
    before = containers(lab, "history-1")["history"]
    killed = threading.Event()

    def kill_history() -> None:
        lab.host("history-1").must(["kill", "-9", str(before["State"]["Pid"])])
        killed.set()

    front = load(cluster.path).host("front-1")
    with forward(front, FRONTEND) as port:
        result = run_smoke(f"127.0.0.1:{port}", workflows=12, deadline_s=180, disturb=kill_history)
    assert killed.is_set()
    assert result.ok, result.problems
    assert result.completed + result.failed_as_expected == 12
    deadline = time.monotonic() + 60
    while "history" not in containers(lab, "history-1"):
        assert time.monotonic() < deadline
        time.sleep(1)
    after = containers(lab, "history-1")["history"]
    assert after["State"]["Pid"] != before["State"]["Pid"]
    assert after["RestartCount"] == before["RestartCount"] + 1
