"""One end for a whole call, however the other side drips: a deadline that is asked, and a watch that cuts.

A timeout that begins again with each piece holds nobody back who sends, or takes, a byte now and then.
And paramiko waits where no timeout can be given: for the answer to `exec`, for a socket that takes nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ_S = 2.0  # who stood still (Ctrl-Z, a lid) first reads what has come meanwhile
LOOK_S = 0.25  # between two looks of a watch


class Deadline:
    """When a call must be over; nothing that comes meanwhile puts it off."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.until = seconds, time.monotonic() + seconds
        self._late_since = 0.0

    @property
    def left_s(self) -> float:
        return max(0.0, self.until - time.monotonic())

    @property
    def past(self) -> bool:
        """Whether it is over; to be asked before each piece."""
        now = time.monotonic()
        if now <= self.until:
            return False
        self._late_since = self._late_since or now
        return now - self._late_since > READ_S


class Watch:
    """Looks at the calls on one connection, and cuts it when one is not back in its time.

    Whatever the call waits for, it ends then: a connection that is cut has nothing to wait for.
    """

    def __init__(self, cut: Callable[[], None]) -> None:
        """`cut` may be called several times, until the last call is back."""
        self._cut, self._calls = cut, dict[object, float]()
        self._over, self.late = threading.Event(), False
        threading.Thread(target=self._look, daemon=True).start()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """TimeoutError when what is done here takes longer, with a little room: the connection is cut."""
        call = object()
        self._calls[call] = time.monotonic() + seconds
        try:
            yield
        except Exception as error:
            if self.late:
                raise TimeoutError(f"not done within {seconds:g} s") from error
            raise
        finally:
            del self._calls[call]
        if self.late:
            raise TimeoutError(f"not done within {seconds:g} s")

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        seen: set[object] = set()  # late at the last look: once may mean that this program stood still
        while not self._over.wait(LOOK_S):
            now = time.monotonic()
            late = {call for call, until in list(self._calls.items()) if now > until}
            if late & seen:
                self.late = True
                self._cut()
            seen = late
