"""Ending at once when the operator is gone: for work whose result nobody else wants."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Iterator

_HUNG_UP = getattr(select, "POLLRDHUP", 0)
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | _HUNG_UP


@contextlib.contextmanager
def ended_with(descriptor: int) -> "Iterator[None]":
    """End this program, and what it started, as soon as the other end of a pipe or socket is closed."""
    done, say_done = os.pipe()

    def watch() -> None:
        poll = select.poll()
        poll.register(descriptor, _HUNG_UP)
        poll.register(done, select.POLLIN)
        happened = dict(poll.poll())
        if done not in happened and happened[descriptor] & _GONE:
            _end()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(say_done, b"x")
        thread.join()
        os.close(done)
        os.close(say_done)


def _end() -> None:
    """Kill the programs that were started, each the first of its own group, and go."""
    for child in _children():
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
    os._exit(1)


def _children() -> "list[int]":
    found: "list[int]" = []
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            found += [int(word) for word in file.read_text().split()]
    return found
