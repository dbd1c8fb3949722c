"""Doing something at a named moment of a run: when a host's journal, or a file, says that it has come."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.hosts import Host
from tests.lab.conftest import COMMAND, DEADLINE_S, Inventory, Ran

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


@contextmanager
def when(come: Callable[[], bool], act: Callable[[], object]) -> Iterator[threading.Event]:
    """Act once, as soon as the moment has come; the event says that it did."""
    stop, acted = threading.Event(), threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            if come():
                act()
                acted.set()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield acted
    finally:
        stop.set()
        thread.join()


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
    """Wait until a host has decided by itself about an unconfirmed change."""
    end = time.monotonic() + DECIDED_S
    while host.exec(["test", "-e", "/var/lib/tempo-infra/armed.json"]).returncode == 0:
        assert time.monotonic() < end, f"{host.name} did not decide"
        time.sleep(0.5)
