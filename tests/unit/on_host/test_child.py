"""Work in a child that may be left behind: what comes back, and what the child must not hold."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from tempo_infra.on_host.child import NoAnswerError, aside
from tempo_infra.on_host.shell import StepError

SOON_S, LONG_S = 0.3, 20.0


def hang() -> str:
    """As a read of a dead mount does: deaf to what asks it to end."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(600)
    return "never"


@pytest.mark.parametrize("value", [None, 7, "blåbær \udcff", ["a", {"b": 1.5}], "x" * 1_000_000])
def test_a_result_comes_back_as_it_was(value: object) -> None:
    assert aside(lambda: value, "it", deadline_s=LONG_S) == value


def test_late_work_is_left_and_killed() -> None:
    before = time.monotonic()
    with pytest.raises(NoAnswerError, match=r"/srv/tempo gives no answer in 0\.3 s") as caught:
        aside(hang, "/srv/tempo", deadline_s=SOON_S)
    assert time.monotonic() - before < 20 * SOON_S
    assert "hangs" in caught.value.remedy
    os.waitpid(-1, 0)  # it ends, so it was killed


def test_an_error_of_the_kernel_is_the_same_error() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        aside(lambda: Path("/no/such/file").read_text(), "it", deadline_s=LONG_S)
    assert caught.value.filename == "/no/such/file"


def test_any_other_error_is_said_with_the_place() -> None:
    with pytest.raises(StepError, match="/srv/tempo: KeyError: 'x'"):
        aside(lambda: dict[str, int]()["x"], "/srv/tempo", deadline_s=LONG_S)
    with pytest.raises(StepError, match="ended early"):
        aside(lambda: os._exit(3), "it", deadline_s=LONG_S)
    with pytest.raises(StepError, match="ended early"):
        aside(lambda: "x" * 10_000_000, "it", deadline_s=LONG_S)


def test_the_child_holds_nothing_that_somebody_waits_for(tmp_path: Path) -> None:
    """No standard input or output, whose end an operator waits for; not the lock of the host."""
    open_there = aside(lambda: len(list(Path("/proc/self/fd").iterdir())), "it", deadline_s=LONG_S)
    assert open_there == 2  # the pipe, and the folder that is listed
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(NoAnswerError):
        aside(hang, "it", deadline_s=SOON_S)
    os.close(lock)
    again = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError if the child had it
    os.close(again)


def test_a_child_that_has_answered_is_no_child_any_more() -> None:
    def children() -> str:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text()

    before = children()
    aside(lambda: 1, "it", deadline_s=LONG_S)
    assert children() == before
