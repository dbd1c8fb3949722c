"""One operator at a time: a flock held by what runs on the host, so it can't outlive its holder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import TYPE_CHECKING

from tempo_infra.on_host.durable import make_folder
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout


class HostLock:
    """Held from the first changing step to the end of the session."""

    def __init__(self, layout: Layout) -> None:
        self._path: Path = layout.lock
        self._descriptor = -1

    def acquire(self, run: str, who: str, *, wait_s: float = 0.0) -> None:
        """Take the lock, or say who holds it since when; taking it twice is fine."""
        if self._descriptor >= 0:
            return
        descriptor = self._opened()
        end = time.monotonic() + wait_s
        while not _taken(descriptor):
            if time.monotonic() >= end:
                holder = os.read(descriptor, 4096).decode(errors="replace")
                os.close(descriptor)
                if f'"run": "{run}"' in holder:
                    raise StepError(
                        "this run is at work on this machine already: has it two names in the inventory?"
                    )
                raise StepError(
                    f"another run is at work on this host: {_describe(holder)}",
                    remedy="wait for it with --lock-wait SECONDS",
                )
            time.sleep(0.2)
        record = {"run": run, "who": who, "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())}
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(record).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; without a lock there is nothing to let go of."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def _opened(self) -> int:
        try:
            make_folder(self._path.parent, 0o755)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StepError(f"{self._path} can't be written: {error.strerror}") from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _describe(holder: str) -> str:
    try:
        record = json.loads(holder)
    except ValueError:
        return "holder unknown"
    return f"{record.get('who')}, run {record.get('run')}, since {record.get('since')}"
