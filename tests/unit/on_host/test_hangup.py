"""Work that nobody waits for any more ends at once, with what it started."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempo_infra.on_host.hangup import ended_with
from tempo_infra.on_host.probes import priority

pytestmark = pytest.mark.thorough

PROGRAM = """
import sys, time
from tempo_infra.on_host.hangup import ended_with
from tempo_infra.on_host.shell import run
with ended_with(0):
    print("at work", flush=True)
    run(["sleep", "60"], deadline_s=60)
"""


def _end(children: list[str]) -> bool:
    """Whether they end now; one that was killed takes a moment of a busy kernel."""
    until = time.monotonic() + 10
    while any(_alive(int(child)) for child in children) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(_alive(int(child)) for child in children)


# Children of each kind: of a group of their own; still in ours, as between fork and setsid; and a thread that
# starts one after the other. Each writes its number.
MANY = """
import os, sys, threading, time
from tempo_infra.on_host.hangup import ended_with
from tempo_infra.on_host.shell import run
with ended_with(0):
    if (child := os.fork()) == 0:
        time.sleep(600)
    print(child, flush=True)
    def start():
        while True:
            try:
                run(["sh", "-c", "echo $$ >> " + sys.argv[1] + "; exec sleep 600"], deadline_s=0.05)
            except Exception:
                pass
    for _ in range(3):
        threading.Thread(target=start, daemon=True).start()
    print("at work", flush=True)
    time.sleep(600)
"""


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("how", ["pipe", "socket"])
def test_it_ends_with_its_operator_and_takes_its_programs_along(how: str) -> None:
    ours, theirs = socket.socketpair()
    stdin = subprocess.PIPE if how == "pipe" else theirs.fileno()
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=stdin, stdout=subprocess.PIPE) as program:
        theirs.close()
        assert program.stdout is not None
        assert program.stdout.readline() == b"at work\n"
        children: list[str] = []
        while not children:
            time.sleep(0.05)
            children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        if program.stdin is not None:
            program.stdin.close()
        ours.close()
        assert program.wait(10) == 1
    assert _end(children)


@pytest.mark.parametrize("after_s", [0.0, 0.11, 0.23])
def test_no_child_is_left_wherever_its_start_had_come_to(tmp_path: Path, after_s: float) -> None:
    file = tmp_path / "started"
    file.touch()
    words = [sys.executable, "-c", MANY, str(file)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        forked = int(program.stdout.readline())
        assert program.stdout.readline() == b"at work\n"
        time.sleep(after_s)
        program.stdin.close()
        assert program.wait(60) == 1
    assert _end([str(forked), *file.read_text().split()])
    count = len(file.read_text())
    time.sleep(0.3)
    assert len(file.read_text()) == count  # nor is another one started


def test_work_that_is_done_in_time_goes_on() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ended_with(theirs.fileno()):
        pass


def test_writing_comes_last_while_it_lasts() -> None:
    before = priority.current()
    with priority.lowest_io():
        assert priority.current() in (2 << 13 | 7, -1)  # -1: a machine whose numbers aren't known
    assert priority.current() == before
