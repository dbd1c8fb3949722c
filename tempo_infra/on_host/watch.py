"""A thread that sees whether the program gets on, and says so for as long as a step may take."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Callable

EVERY_S = 3.0  # a third of the shortest grace; the controller gives a silent host up after several


class Watch:
    """Watches the thread that works; a context manager, for the length of a request.

    The one that works may stand still in the kernel, where no signal and no exception reaches it.
    """

    def __init__(
        self, alive: "Callable[[str], None]", leave: "Callable[[str, float], None]", every_s: float = EVERY_S
    ) -> None:
        """`alive` is told the step now and then; `leave` is called once when a step is past its time."""
        self._alive, self._leave, self._every_s = alive, leave, every_s
        self._at = ("", 0.0, float("inf"))  # the step, its longest time, until when
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def begin(self, step: str, longest_s: float) -> None:
        """Count the time of a step from now on."""
        self._at = (step, longest_s, time.monotonic() + longest_s)

    def __enter__(self) -> "Watch":  # noqa: PYI034 - Python 3.10
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        trace: "TracebackType | None",
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._every_s):
            step, longest_s, until = self._at
            if time.monotonic() > until:
                self._leave(step, longest_s)
                break
            self._alive(step)
