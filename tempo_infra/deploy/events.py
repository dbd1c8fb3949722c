"""What happens during a run, for whoever shows it: a progress line, JSON lines, a test."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    STARTED = "started"
    PROGRESS = "progress"  # a word meanwhile
    DONE = "done"
    FAILED = "failed"
    UNCHANGED = "unchanged"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class Progress:
    """One host's step began or ended. `step` is the name that plan, journal and log use too."""

    host: str
    step: str
    state: State
    seconds: float = 0.0
    detail: str = ""
