"""Work that nobody waits for any more ends at once, with what it started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempo_infra.on_host.gone import ended_with
from tempo_infra.on_host.probes import priority

PROGRAM = """
import sys, time
from tempo_infra.on_host.gone import ended_with
from tempo_infra.on_host.shell import run
with ended_with(0):
    print("at work", flush=True)
    run(["sleep", "60"], deadline_s=60)
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
        begun = time.monotonic()
        if program.stdin is not None:
            program.stdin.close()
        ours.close()
        assert program.wait(10) == 1
        assert time.monotonic() - begun < 5
        while any(_alive(int(child)) for child in children):  # killed; a busy kernel takes a moment to do it
            assert time.monotonic() - begun < 10
            time.sleep(0.05)


def test_work_that_is_done_in_time_goes_on() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ended_with(theirs.fileno()):
        pass
    assert os.getpid()  # closed afterwards, and this program is still there


def test_writing_comes_last_while_it_lasts() -> None:
    before = priority.current()
    with priority.lowest_io():
        assert priority.current() in (2 << 13 | 7, -1)  # -1: a machine whose numbers aren't known
    assert priority.current() == before
