"""For how long a host may be at work: the step that it says it is in has an end, and it only goes forward."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from tempo_infra.errors import UnreachableError
from tempo_infra.on_host.steps.step import UNDO_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.on_host.wire import Event

MARGIN_S = 60.0  # the host ends a step that takes too long by itself; this is for one that doesn't
READ_S = 2.0  # who stood still (Ctrl-Z, a lid) first reads what has come meanwhile
SLOWEST_BYTES_S, LONGEST_ANSWER_S = 500, 900.0  # an answer may be on its way for so long, once
SEND_S = 120.0  # so long, and as long as an answer, may what is sent take
HINT = "it says that it works; a host that was switched decides by itself: `tempo-infra status` says how"


class LateError(UnreachableError):
    """A host is in a step for longer than that may take."""


class Turn:
    """One request's time. Saying for ever that one lives, or beginning a step again, brings no more of it."""

    def __init__(self, steps: Sequence[Step], deadline_s: float) -> None:
        """`deadline_s` is for all the steps together; it may be infinite."""
        self._steps, self._at = steps, -1
        self._undoing = self._answering = False
        self._deadline_s, self._end = deadline_s, time.monotonic() + deadline_s
        self._late_since = 0.0
        self._may_take(steps[0].name, steps[0].longest_s)

    def heard(self, event: Event) -> None:
        """Take an event: a step that begins, or one that failed and is undone, has its own time."""
        following = self._at + 1
        if event.state == "started" and following < len(self._steps):
            if event.step == self._steps[following].name:
                self._at = following
                self._may_take(event.step, self._steps[following].longest_s)
        elif event.state == "failed" and not self._undoing:
            self._undoing = True
            self._may_take("rollback", UNDO_S)

    def answers(self, count: int) -> None:
        """Take it that an answer of so many bytes begins: on a slow link it takes its time, once."""
        if count > SLOWEST_BYTES_S * MARGIN_S and not self._answering:
            self._answering = True
            self._until += min(count / SLOWEST_BYTES_S, LONGEST_ANSWER_S)

    @contextlib.contextmanager
    def sending(self, count: int) -> Iterator[float]:
        """Yield the seconds in which so many bytes must be sent; the step has its time beside that."""
        began = time.monotonic()
        yield max(0.0, min(SEND_S + min(count / SLOWEST_BYTES_S, LONGEST_ANSWER_S), self._end - began))
        self._until += time.monotonic() - began

    def check(self) -> None:
        """Raise LateError when there is no time left."""
        now = time.monotonic()
        if now <= min(self._until, self._end):
            self._late_since = 0.0
            return
        self._late_since = self._late_since or now
        if now - self._late_since > READ_S:
            longest_s = self._deadline_s if self._end < self._until else self._longest_s
            raise LateError(f"{self._name}: not done after {longest_s:g} s", remedy=HINT)

    def _may_take(self, name: str, longest_s: float) -> None:
        self._name, self._longest_s = name, longest_s
        self._until = time.monotonic() + longest_s + MARGIN_S
