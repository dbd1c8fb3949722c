"""Ending at once when the operator is gone: for work whose result nobody else wants."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.on_host.shell import STARTING

if TYPE_CHECKING:
    from typing import Callable, Iterator

_HUNG_UP = getattr(select, "POLLRDHUP", 0)
LOOK_S, NEVER_S = 2.0, 1e6
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
            end()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(say_done, b"x")
        thread.join()
        os.close(done)
        os.close(say_done)


def end(code: int = 1, *, last: "Callable[[], None]" = lambda: None) -> None:
    """Kill the programs that were started, and go, in one breath: no other thread does anything any more.

    One that waits for a killed program would go on with its work. So none starts another program from here
    on, and from the first kill to the end nothing gives the interpreter out of its hand. `last` does: it
    comes just before.
    """
    STARTING.acquire(timeout=LOOK_S)
    last()
    children = _children()
    sys.setswitchinterval(NEVER_S)
    for child in children:  # the first of a group of its own, or still in ours: between its fork and that
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(child, signal.SIGKILL)
    os._exit(code)


def _children() -> "list[int]":
    found: "list[int]" = []
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            found += [int(word) for word in file.read_text().split()]
    return found
