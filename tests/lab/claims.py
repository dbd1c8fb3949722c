"""A test session has its hosts for itself: another one that resets them would destroy what it is doing."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_HELD: dict[Path, IO[str]] = {}  # open until this process ends, and locked so long


class InUseError(Exception):
    """Another test session is at work on a host."""


def claim(root: Path, names: Iterable[str]) -> None:
    """Take hosts of the lab until this process ends; those that it has are fine. InUseError says who has one.

    `root` is the lab's state folder, which all checkouts share.
    """
    for name in sorted(names):
        path = root / f"tests-{name}.lock"
        if path not in _HELD:
            _HELD[path] = _taken(path, name)


def _taken(path: Path, name: str) -> IO[str]:
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        who = file.read().strip() or "somebody"
        file.close()
        raise InUseError(f"lab host {name} is in use by {who}: wait until that has ended") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} since {time.strftime('%H:%M:%S')} ({' '.join(sys.argv)})\n")
    file.flush()
    return file
