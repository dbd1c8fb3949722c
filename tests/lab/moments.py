"""Doing something at a named moment of a run: when a host's journal, or a file, says that it has come."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab.hosts import Host
from tests.lab.conftest import COMMAND, DEADLINE_S, Inventory, Ran
from tests.lab.reliability.bed import DECIDED

DECIDED_S = 180.0  # a host decides after 60 s of silence, and putting back takes its time


def begun(inventory: Inventory, command: str, *words: str) -> subprocess.Popen[str]:
    """The command as a process that can be killed."""
    return subprocess.Popen(
        [COMMAND, *command.split(), "-i", inventory.path, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Ran:
    out, _ = process.communicate(timeout=DEADLINE_S)
    return Ran(process.returncode, out, "")


def reached(process: subprocess.Popen[str], come: Callable[[], bool]) -> None:
    """Wait until the moment has come; it must come before the command ends."""
    while not come():
        assert process.poll() is None, f"it ended before: {ended(process).said}"
        time.sleep(0.01)


def journal_says(host: Host, step: str) -> Callable[[], bool]:
    """The moment at which a host has done a step, from now on."""
    before = len(journal(host))
    return lambda: any(e["step"] == step and e["result"] == "done" for e in journal(host)[before:])


def journal(host: Host) -> list[dict[str, str]]:
    text = host.exec(["cat", "/var/lib/tempo-infra/journal.jsonl"]).stdout
    return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]


def file_changes(path: Path) -> Callable[[], bool]:
    """The moment at which a file on this machine is another one."""
    before = path.read_bytes()
    return lambda: path.read_bytes() != before


def decided(host: Host) -> None:
    """Wait until no run is at work on a host, and it has decided by itself about an unconfirmed change."""
    done = host.exec(["python3", "-c", DECIDED, str(DECIDED_S)], timeout=DECIDED_S + 20)
    assert done.returncode == 0, f"{host.name}: {done.stderr}"
