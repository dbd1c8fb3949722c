"""The lowest priority for what is written: other people's work on the host comes first.

Level 7 of the best-effort class, not the idle class: an idle writer waits until nobody else wants the disk,
and would measure its own patience.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Iterator

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "armv7l": 314, "ppc64le": 273, "s390x": 282}
_IOPRIO_GET = {"x86_64": 252, "aarch64": 31, "riscv64": 31, "armv7l": 315, "ppc64le": 274, "s390x": 283}
_THREAD = 1  # IOPRIO_WHO_PROCESS, which means a thread; 0 is this one
_BEST_EFFORT, _LOWEST = 2, 7
_CLASS_SHIFT = 13  # linux/ioprio.h


def current() -> int:
    """Return this thread's I/O priority as the kernel writes it; -1 where it can't be asked."""
    return _call(_IOPRIO_GET, _THREAD, 0)


@contextlib.contextmanager
def lowest_io() -> "Iterator[None]":
    """Let this thread's reads and writes come last among ordinary ones; as before afterwards."""
    before = current()
    _call(_IOPRIO_SET, _THREAD, 0, _BEST_EFFORT << _CLASS_SHIFT | _LOWEST)
    try:
        yield
    finally:
        if before >= 0:
            _call(_IOPRIO_SET, _THREAD, 0, before)


def _call(numbers: "dict[str, int]", *words: int) -> int:
    number = numbers.get(platform.machine())
    if number is None:
        return -1
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *words))
