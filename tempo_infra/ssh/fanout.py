"""Doing the same with several hosts at once, within what an sshd in front of them takes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tempo_infra.errors import InputError, TempoInfraError, blamed_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

AT_ONCE = 20
TURN_S = 0.001  # after which a busy thread lets others go on; Python's own, 5 ms, would go with every packet

Key = TypeVar("Key")
Result = TypeVar("Result")


def fan_out(
    work: Callable[[Key], Result], hosts: Iterable[Key], *, at_once: int = AT_ONCE
) -> dict[Key, Result | TempoInfraError]:
    """Return each host's result, or the error that ended its work, whatever it was; the others go on.

    InputError is no host's: it ends the whole.
    """

    def guarded(host: Key) -> Result | TempoInfraError:
        try:
            with blamed_on(str(host)):
                return work(host)
        except InputError:
            raise
        except TempoInfraError as error:
            return error

    wanted = list(hosts)
    with threads_for(len(wanted), at_once=at_once) as pool:
        return dict(zip(wanted, pool.map(guarded, wanted), strict=True))


def threads_for(count: int, *, at_once: int = AT_ONCE) -> ThreadPoolExecutor:
    """Return threads for so many hosts, each of which answers its host soon, whatever the others do."""
    sys.setswitchinterval(TURN_S)
    return ThreadPoolExecutor(max_workers=max(1, min(at_once, count)))
