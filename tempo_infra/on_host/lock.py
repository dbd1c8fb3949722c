"""One operator at a time: a flock held by what runs on the host, so it can't outlive its holder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host import actor, processes
from tempo_infra.on_host.durable import make_folder
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

AGAIN_S = 0.2
LOOK_S = 0.3  # whoever looks at the lock has it for an instant: one more try, then it is a run


@dataclass(frozen=True)
class LockArgs:
    run: str
    who: str
    wait_s: float = 0.0


def holder(layout: Layout) -> str:
    """Return the run that is at work on this host; empty when none is, or it does not say which."""
    return str(_held(layout).get("run", ""))


def _held(layout: Layout) -> "dict[str, str]":
    """Return what is written in the lock while somebody has it."""
    try:
        descriptor = os.open(layout.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _record(os.read(descriptor, 4096))
    finally:
        os.close(descriptor)
    return {}


def end_holder(layout: Layout, run: str) -> None:
    """Kill the process of a run that has the lock: systemd may have had no unit of its own for it."""
    record = _held(layout)
    process = record.get("process", "")
    pid = process.partition(" ")[0]
    if record.get("run") == run and pid.isdigit() and _process(int(pid)) == process:
        with contextlib.suppress(OSError):
            os.kill(int(pid), signal.SIGKILL)


def _process(pid: int) -> str:
    """Return a process by its number and when it began: numbers are given again."""
    found = processes.one(pid)
    return f"{pid} {found.began}" if found else ""


class HostLock:
    """Held from the first changing step to the end of the session."""

    def __init__(self, layout: Layout) -> None:
        self._root, self._path = layout.root, layout.lock
        self._descriptor = -1

    def acquire(self, run: str, who: str, *, wait_s: float = 0.0, may_be_killed: bool = False) -> None:
        """Take the lock, or say who holds it since when; taking it twice is fine.

        `may_be_killed`: by who decides in this run's place, see `end_holder`.
        """
        if self._descriptor >= 0:
            return
        descriptor = self._opened()
        end = time.monotonic() + max(wait_s, LOOK_S)
        while not self._taken(descriptor):
            record = _record(os.read(descriptor, 4096))
            os.close(descriptor)
            if time.monotonic() >= end:
                raise _refused(run, record)
            time.sleep(AGAIN_S)
            descriptor = self._opened()
        record = {"run": run, "who": who, "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())}
        record |= {"process": _process(os.getpid())} if may_be_killed else {}
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: who has the lock can't be read, and it is held
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps(record).encode())
        actor.tell_syslog(self._root, f"run {run} by {who} ({actor.login()}): begins")

    def drop(self) -> None:
        """Let go at once: a program that ends keeps its files while a thread of it stands in the kernel."""
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def release(self) -> None:
        """Let go; without a lock there is nothing to let go of."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # what the file says counts for nothing without its lock
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def _opened(self) -> int:
        try:
            make_folder(self._path.parent, 0o755)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StepError(f"{self._path} can't be written: {error.strerror}") from error

    def _taken(self, descriptor: int) -> bool:
        """Whether it is ours now. A file that was removed meanwhile keeps nobody out: it does not count."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except (BlockingIOError, FileNotFoundError):
            return False


def _refused(run: str, record: "dict[str, str]") -> StepError:
    if record.get("run") == run:
        return StepError("this run is at work on this machine already: has it two names in the inventory?")
    known = f"{record.get('who')}, run {record.get('run')}, since {record.get('since')}"
    return StepError(
        f"another run is at work on this host: {known if record else 'holder unknown'}",
        remedy="wait for it with --lock-wait SECONDS",
    )


def _record(text: bytes) -> "dict[str, str]":
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
