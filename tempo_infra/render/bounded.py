"""Work of an operator's template, in a process of its own with little time and little memory.

Whatever the template is made of: at the limit the kernel ends it. Nothing else has to be proven about it.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

CPU_S: Final = 2  # of one template and of reading it; ours take 20 ms, 20,000 values of YAML half a second
MEMORY_BYTES: Final = 128 << 20  # beyond what this process has
MOST_BYTES: Final = 4 << 20  # of the answer
PATIENCE_S: Final = 60.0  # on a machine that is busy with other things
BUG: Final = 70
_END: Final = b"\n.\n"  # an answer without it was cut


class TooMuchError(InputError):
    """The work took more than it may."""


def bounded(work: Callable[[], bytes]) -> bytes:
    """Return what the work returns; TooMuchError when it takes more time or memory, or says more."""
    reader, writer = os.pipe()
    with (
        warnings.catch_warnings()
    ):  # other threads of this process are no concern: the child takes no lock of theirs
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _work(work, writer)
    os.close(writer)
    try:
        answer = _answer(reader)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == BUG:
        raise RuntimeError("the work of a template failed in its own process")
    if answer is None or not answer.endswith(_END):
        raise TooMuchError(f"takes more than {CPU_S} s or {MEMORY_BYTES >> 20} MiB")
    return answer.removesuffix(_END)


def _work(work: Callable[[], bytes], writer: int) -> NoReturn:
    """Run in the child. It ends here: nothing that its parent would do at an end is done in it."""
    code = BUG
    try:
        _limit(resource.RLIMIT_CPU, CPU_S)
        _limit(resource.RLIMIT_AS, _size() + MEMORY_BYTES)
        _limit(resource.RLIMIT_CORE, 0)
        with os.fdopen(writer, "wb") as out:
            out.write(work() + _END)
        code = 0
    except (MemoryError, BrokenPipeError):
        code = 0
    finally:
        os._exit(code)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _size() -> int:
    """Return how much address space this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _answer(reader: int) -> bytes | None:
    """Read to the end; None when it is too long or too late."""
    parts: list[bytes] = []
    left, until = MOST_BYTES, time.monotonic() + PATIENCE_S
    while left > 0 and select.select([reader], [], [], max(0.0, until - time.monotonic()))[0]:
        part = os.read(reader, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    return None
