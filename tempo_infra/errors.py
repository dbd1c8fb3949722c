"""What can go wrong, as types: what failed, where, and what the operator does about it.

What it says may be somebody else's words: a host's, a registry's, a server's. They are made fit to be shown
here, in the one place that all of them come through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACEBACK = "TEMPO_INFRA_TRACEBACK"  # environment variable
OURS = "/tempo_infra/"
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
OF_THIS_MACHINE = {*NO_ROOM, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class TempoInfraError(Exception):
    """A failure that a person can act on."""

    def __init__(self, what: str, *, remedy: str = "", host: str = "") -> None:
        self.what, self.remedy, self.host = self._shown(what), self._shown(remedy), sanitize.one_line(host)
        super().__init__(self.what)

    @staticmethod
    def _shown(text: str) -> str:
        return sanitize.message(text)

    def __str__(self) -> str:
        return (f"{self.host}: " if self.host else "") + self.told

    @property
    def told(self) -> str:
        """What failed and, on a line of its own, what to do: for where the host is named already."""
        return self.what + (f"\n  {self.remedy}" if self.remedy else "")


def cause(error: OSError) -> str:
    """Return what the system says, in a sentence's case and without its number."""
    return (error.strerror or str(error)).lower()


class InputError(TempoInfraError):
    """The request is wrong: inventory, options, files. Nothing was contacted."""

    @staticmethod
    def _shown(text: str) -> str:
        return sanitize.inert(sanitize.visible(text))  # a line for each problem, each with its place in front


class UnreachableError(TempoInfraError):
    """A host could not be reached, or stopped answering; the text names the stage and the seconds."""


class HostKeyError(UnreachableError):
    """The host key is unknown or differs from the pinned one; refused before authentication."""


class StepFailedError(TempoInfraError):
    """A step on a host failed; the text says which one and what the host answered.

    `now` is what the host is after it: "back on 41c0…", or empty when nothing had been switched.
    """

    def __init__(self, what: str, *, remedy: str = "", host: str = "", now: str = "", step: str = "") -> None:
        super().__init__(what, remedy=remedy, host=host)
        self.now, self.step = self._shown(now), step


class RollbackFailedError(StepFailedError):
    """A host could not be put back by itself; `now` says where it stands, and a person is needed."""


@contextlib.contextmanager
def blamed_on(host: str) -> Iterator[None]:
    """Make whatever an answer makes our code raise an error of the host that gave it; the others go on.

    What this machine refuses is no host's doing.
    """
    try:
        yield
    except TempoInfraError as error:
        error.host = error.host or host
        raise
    except Exception as error:
        of_this_machine = isinstance(error, OSError) and (error.filename or error.errno in OF_THIS_MACHINE)
        if of_this_machine or os.environ.get(TRACEBACK):
            raise
        raise UnreachableError(
            f"nothing can be made of its answer: {place(error)}",
            host=host,
            remedy="is something between the two, or an own program in place of ours? Else it is a bug in "
            f"tempo-infra; {TRACEBACK}=1 shows where it came from",
        ) from error


def place(error: BaseException) -> str:
    """Name an error's kind and place, not the values: its own text may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    ours = [line for line, frame in zip(lines, frames, strict=True) if OURS in frame.filename]
    last = lines[-1] if lines else "nowhere"
    return f"{type(error).__name__} at {last}, from {ours[-1] if ours else last}"
