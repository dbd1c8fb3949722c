"""Stopping the clock at a step: a watcher on the host reads the journal and holds the run's process still."""

from __future__ import annotations

import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Self

from tests.lab.reliability.machine import Machine, entry

SEEN_S = 200.0

# Runs on the host: step, result. "ready" when it watches, "seen" when the journal says so and the run's
# process stands still; a line on its input (or the end of it) lets the process go on.
WATCH = r"""
import json, os, pathlib, signal, sys, time
step, result = sys.argv[1:]
journal = pathlib.Path("/var/lib/tempo-infra/journal.jsonl")
place = journal.stat().st_size if journal.exists() else 0
def says(line):
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return (entry["step"], entry["result"]) == (step, result)
def asks_for_runs(words):
    return words[0].endswith(b"sudo") and any(b"import hashlib, os" in word for word in words)
def runs(sudo=False):
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if sudo and asks_for_runs(words):
            yield int(process.name)
        if len(words) > 3 and words[0].endswith(b"python3") and b"import hashlib, os" in words[3]:
            yield int(process.name)
        if len(words) > 3 and words[2].startswith(b"/var/lib/tempo-infra/program-"):
            yield int(process.name)
def hold(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            pass
print("ready", flush=True)
size, known = place, []
while True:
    if journal.exists() and journal.stat().st_size > size:
        size = journal.stat().st_size
        with journal.open("rb") as file:
            file.seek(place)
            if any(says(line) for line in file.read().splitlines()):
                break
        known = known or list(runs())  # beforehand: a step can be over within what this takes
    time.sleep(0.001)
hold(known)
def stands_still(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
held = list(runs())
asking = set(runs(sudo=True)) - set(held)
hold(held)
# sudo stops itself a moment after its command. Let go on before that it would stand still for good, and
# with it the end of the operator's input.
end = time.monotonic() + 1.0
while asking and not any(map(stands_still, asking)) and time.monotonic() < end:
    time.sleep(0.005)
print("seen", flush=True)
sys.stdin.readline()
for pid in [*runs(sudo=True), *held]:  # sudo stands still as well, since its command does
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass
"""


@dataclass(frozen=True)
class Moment:
    """When the host's journal says that a step ended (or began, where it says so)."""

    step: str
    result: str = "done"

    def __str__(self) -> str:
        return f"{self.step} begun" if self.result == "started" else f"{self.step} ended"


class Watcher:
    """Watches one host for one moment; a context manager that lets the run go on at its end."""

    def __init__(self, host: Machine, moment: Moment) -> None:
        words = entry(host, ["python3", "-uc", WATCH, moment.step, moment.result])
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, bufsize=0)
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._next(30.0) == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self._process.terminate()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def seen(self, operator: subprocess.Popen[str]) -> bool:
        """Wait for the moment; False when the operator's program ended before it."""
        for _ in range(int(SEEN_S / 0.1)):
            if self._next(0.1) == "seen":
                return True
            if operator.poll() is not None:
                return self._next(1.0) == "seen"  # the operator may end at the last moment
        return False

    def go_on(self) -> None:
        """Let the run's process go on."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ValueError):  # the host is gone, or it goes on already
            self._process.stdin.write(b"go on\n")

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._lines.put(line.decode().strip())
        except ValueError:
            return  # closed

    def _next(self, timeout_s: float) -> str:
        try:
            return self._lines.get(timeout=timeout_s)
        except Empty:
            return ""
