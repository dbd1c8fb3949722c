"""The way of an archive to a host: in pieces, each answered, before the steps that need it.

A link that is cut leaves what has come, and the next run goes on from there. Nothing waits for ever: each
piece has its longest time, and so have all of them together, by their size.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import TypeAdapter

from tempo_infra.deploy.events import Progress, State
from tempo_infra.deploy.responses import nonsense, read
from tempo_infra.errors import StepFailedError
from tempo_infra.on_host.arriving import Received
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.steps.step import Step
from tempo_infra.sizing.budgets.rule import mib

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tempo_infra.archives import Parcel
    from tempo_infra.deploy.session import Session

PIECE_BYTES = 4 * 1024 * 1024  # each is answered: few round trips, and little is sent twice after a cut
SLOWEST_BYTES_S = 50_000  # a transfer slower than that, all in all, is given up
UNPACKS_BYTES_S = 2_000_000  # of a host that is small and busy, with a slow disk
AT_LEAST_S = 300.0
TELL_PART, TELL_S = 20, 10.0  # a word each twentieth, and at least so often


@dataclass(frozen=True, slots=True)
class Feed:
    """Stands among a host's steps: an archive that is larger than a step's payload may be."""

    parcel: Parcel
    stopped: Callable[[], bool]
    step: ClassVar[str] = change.Load.name  # what a person sees of it all

    @property
    def room(self) -> int:
        """Bytes that the engine's disk needs: it unpacks the archive, then each layer."""
        return self.parcel.length + self.parcel.unpacked

    def give(self, session: Session, report: Callable[[Progress], None]) -> list[object]:
        """Send what the host lacks of it, and let it load that; as `Session.call`."""
        began, parcel = time.monotonic(), self.parcel
        until = began + AT_LEAST_S + parcel.length / SLOWEST_BYTES_S
        report(Progress(session.host, self.step, State.STARTED))
        try:
            self._send(session, until, lambda words: report(_progress(session.host, words)))
            report(_progress(session.host, "unpacking"))
            longest_s = AT_LEAST_S + parcel.unpacked / UNPACKS_BYTES_S
            found = session.call([change.Load(parcel.sha256, dict(parcel.contents), longest_s)])
        except StepFailedError as error:
            report(Progress(session.host, self.step, State.FAILED, detail=error.what))
            raise
        words = f"{len(parcel.contents)}, {mib(parcel.length)}"
        report(Progress(session.host, self.step, State.DONE, time.monotonic() - began, words))
        return found

    def _send(self, session: Session, until: float, say: Callable[[str], None]) -> None:
        parcel, tell = self.parcel, _Tell(self.parcel.length, say)
        [answer] = session.call([change.Receive(parcel.sha256, parcel.length)], deadline_s=_left(until))
        have = self._have(session, answer)
        tell.begin(have)
        while have < parcel.length:
            if self.stopped():
                raise StepFailedError("stopped by the operator", host=session.host, step=self.step)
            payload = parcel.read(have, PIECE_BYTES)
            step = change.Piece(parcel.sha256, parcel.length, have, payload=payload)
            [answer] = session.call([step], deadline_s=_left(until))
            if self._have(session, answer) != have + len(payload):
                raise nonsense(session.host, "piece, have")
            have += len(payload)
            tell.at(have)

    def _have(self, session: Session, answer: object) -> int:
        have = read(TypeAdapter(Received), answer, session.host, "receive").have
        if not 0 <= have <= self.parcel.length:
            raise nonsense(session.host, "receive, have")
        return have


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


class _Tell:
    """Says how far a transfer is and how long it may still take, now and then."""

    def __init__(self, length: int, say: Callable[[str], None]) -> None:
        self._length, self._say = length, say
        self._from = self._told = 0
        self._began = self._told_at = time.monotonic()

    def begin(self, have: int) -> None:
        self._from = self._told = have
        self._began = self._told_at = time.monotonic()
        if have:
            self._say(f"{mib(have)} of {mib(self._length)} are there already")

    def at(self, have: int) -> None:
        now = time.monotonic()
        if have - self._told < self._length / TELL_PART and now - self._told_at < TELL_S:
            return
        self._told, self._told_at = have, now
        left_s = (self._length - have) * (now - self._began) / (have - self._from)
        self._say(f"{have >> 20} of {mib(self._length)}, {_span(left_s)} left")


def _progress(host: str, words: str) -> Progress:
    return Progress(host, Feed.step, State.PROGRESS, detail=words)


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"  # noqa: PLR2004 - two minutes


Todo = Step | Feed


def requests(todo: Sequence[Todo]) -> list[list[Step] | Feed]:
    """Split what a host is to do into requests, and what is fed between them."""
    found: list[list[Step] | Feed] = []
    for one in todo:
        if isinstance(one, Feed):
            found.append(one)
        elif found and isinstance(found[-1], list):
            found[-1].append(one)
        else:
            found.append([one])
    return found
