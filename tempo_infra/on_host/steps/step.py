"""What a step is.

A step carries its longest time, on the host and for who waits for it: what it waits for has deadlines of its
own, this is their sum, with room. It is for what has none: a write to a disk that hangs, a fault that nobody
has thought of. A step that is past it is left: the program on the host ends, without a sign of life from then
on, and a change under way is decided by the host's timer.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

GRANTED = ("deadline_s", "wait_s", "soak_s")  # fields that allow a step to take so much longer
UNDO_S = 1800.0  # files, then containers for as long as Docker may need after a boot, then their health
HANGS = "see `dmesg`, `findmnt` and the engine there; then run the same command again"


@dataclass(frozen=True)
class Step:
    """One thing to do on a host. Its name, on the wire and for people, is its type's."""

    name: ClassVar[str] = ""
    MOST_S: ClassVar[float] = 0.0
    CHANGES: ClassVar[bool] = True  # something of the host: who is stopped before needs no word on it
    payload: bytes = field(default=b"", repr=False, kw_only=True)

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def longest_s(self) -> float:
        """How long it may take at most, in seconds."""
        return self.MOST_S + self._granted_s

    @property
    def _granted_s(self) -> float:
        return sum(float(getattr(self, name, 0.0)) for name in GRANTED)

    @property
    def arguments(self) -> "dict[str, Any]":
        """Its fields as JSON values; the payload travels beside them."""
        found = asdict(self)
        del found["payload"]
        return found

    @classmethod
    def of(cls, arguments: "dict[str, Any]", payload: bytes) -> "Step":
        """Make one of what has come over the wire; TypeError for fields that it doesn't have."""
        return cls(**arguments, payload=payload)
