from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tempo_infra.errors import StepFailedError
from tempo_infra.workload.ledger import Ledger
from tempo_infra.workload.processes import WorkerProcess, workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.workload.devserver import DevServer

pytestmark = pytest.mark.thorough


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_end(one: WorkerProcess) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        one.require_alive()
        time.sleep(0.05)


def test_a_worker_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    ended = pytest.raises(StepFailedError, match="ended by itself")
    with workers(1, ["too", "few"], tmp_path) as (one,), ended as told:
        wait_for_end(one)
    assert "usage: python -m" in told.value.remedy


def test_no_worker_outlives_a_block_that_fails(tmp_path: Path) -> None:
    pids: list[int] = []

    def failing_block() -> None:
        with workers(2, ["127.0.0.1:1", "b", "c", str(tmp_path / "ledger")], tmp_path) as crew:
            pids.extend(one.pid for one in crew)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_block()
    assert len(pids) == 2
    assert not any(is_there(pid) for pid in pids)


def test_a_worker_ends_when_its_input_does(server: DevServer, tmp_path: Path) -> None:
    """So it can't outlive whoever started it, even one that was killed."""
    ledger = Ledger(tmp_path / "ledger")
    arguments = [server.address, "default", "queue-of-a-lost-worker", str(ledger.path)]
    with workers(1, arguments, tmp_path) as (one,):
        while one.pid not in ledger.ready_workers():
            one.require_alive()
            time.sleep(0.05)
        one.close_input()
        with pytest.raises(StepFailedError, match="exit code 0"):
            wait_for_end(one)


def test_kill_means_gone(tmp_path: Path) -> None:
    one = WorkerProcess(["127.0.0.1:1", "b", "c", str(tmp_path / "ledger")], tmp_path / "log")
    one.kill()
    assert not is_there(one.pid)
    with pytest.raises(StepFailedError, match="exit code -9"):
        one.require_alive()
    one.close_input()
