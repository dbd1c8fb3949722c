"""What can go wrong, as types: what failed, where, and what the operator does about it."""

from __future__ import annotations


class TempoInfraError(Exception):
    """A failure that a person can act on."""

    def __init__(self, what: str, *, remedy: str = "", host: str = "") -> None:
        super().__init__(what)
        self.what, self.remedy, self.host = what, remedy, host

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
        self.now, self.step = now, step


class RollbackFailedError(StepFailedError):
    """A host could not be put back by itself; `now` says where it stands, and a person is needed."""
