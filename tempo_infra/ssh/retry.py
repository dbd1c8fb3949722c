"""Logins at an sshd, which lets only so many in at once: again after a pause when it hung up.

sshd drops newcomers at random while 10 connections have not logged in yet (its MaxStartups is 10:30:100),
and a restarting one refuses for a moment. Nothing has run on the host by then, so asking again is safe.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from tempo_infra.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

LOGINS_AT_ONCE = 8  # at one sshd; it begins to drop at 10
HUNG_UP_PAUSES_S = (0.25, 0.5, 1.0, *(2.0,) * 7)
REFUSED_PAUSES_S = (0.25, 0.5)
RETRY_S = 30.0  # no further try after that: some take their time to hang up

Result = TypeVar("Result")


class HungUpError(UnreachableError):
    """The host closed the connection before it said who it is."""


class RefusedError(UnreachableError):
    """Nobody listens at the port."""


_PAUSES: dict[type[UnreachableError], tuple[float, ...]] = {
    HungUpError: HUNG_UP_PAUSES_S,
    RefusedError: REFUSED_PAUSES_S,
}
_guard = threading.Lock()
_gates: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(LOGINS_AT_ONCE))


def retried(
    place: str, log_in: Callable[[], Result], *, sleep: Callable[[float], None] = time.sleep
) -> Result:
    """Log in at an sshd, few at a time; again after a pause where it hung up or refused."""
    with _guard:
        gate = _gates[place]
    tries, until = 0, time.monotonic() + RETRY_S
    while True:
        tries += 1
        try:
            with gate:
                return log_in()
        except (HungUpError, RefusedError) as error:
            pauses = _PAUSES[type(error)]
            if tries > len(pauses) or time.monotonic() > until:
                error.what += f" ({tries} tries)"
                raise
            sleep(pauses[tries - 1] * random.uniform(0.5, 1.5))  # noqa: S311 - so that hosts do not come back together
