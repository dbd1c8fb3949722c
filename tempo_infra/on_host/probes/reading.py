"""A measured value, or the reason why there is none."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Callable, Generic, Optional, TypeVar

from tempo_infra.on_host.shell import StepError, run

T = TypeVar("T")

MAX_FILE_BYTES = 1024 * 1024  # no file that a probe reads is longer
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A value that was read; or None with the reason, which is never the same as zero or empty."""

    value: Optional[T]
    unread: str = ""  # why there is no value; empty when there is one
    not_wanted: bool = False  # left out on purpose, or there is nothing of the kind on this host


class Unread(Exception):  # noqa: N818 - it is a reason, not always an error
    """Raised inside a probe: the value can't be read, and why."""

    def __init__(self, reason: str, *, not_wanted: bool = False) -> None:
        super().__init__(reason)
        self.not_wanted = not_wanted


def attempt(read: "Callable[[], T]") -> "Reading[T]":
    """Run one probe; what it raises becomes the reason, so that the others go on."""
    try:
        return Reading(read())
    except Unread as error:
        return Reading(None, str(error)[:MAX_REASON], error.not_wanted)
    except StepError as error:
        return Reading(None, str(error)[:MAX_REASON])
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return Reading(None, f"{where}{(error.strerror or str(error)).lower()}"[:MAX_REASON])
    except Exception as error:  # noqa: BLE001 - a crash of one probe must not take the others along
        return Reading(None, f"the probe crashed: {type(error).__name__}: {error}"[:MAX_REASON])


def read_file(path: str) -> str:
    """Return a small text file of the host; OSError as usual.

    Opened without blocking and only when it is a regular file, so a pipe in its place can't hold us.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unread(f"{path}: not a regular file")
        parts: "list[bytes]" = []
        while sum(map(len, parts)) < MAX_FILE_BYTES:
            part = os.read(descriptor, 65536)
            if not part:
                break
            parts.append(part)
        return b"".join(parts).decode(errors="replace")
    finally:
        os.close(descriptor)


def read_number(path: str) -> int:
    """Return the one number that a file of /proc or /sys holds."""
    return int(read_file(path).strip())


def output_of(*words: str, deadline_s: float = 5.0) -> str:
    """Return what a program says on standard output; Unread with its last words when it fails."""
    output = run(words, deadline_s=deadline_s)
    if output.returncode != 0:
        raise Unread(f"`{' '.join(words[:3])}`: {output.last_words}")
    return output.out
