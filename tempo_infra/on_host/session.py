"""The program that runs on a host for the length of one connection: it reads requests and does their steps.

When the connection is lost in the middle of a request, the request is finished; what was switched and not
confirmed is then decided by health, and the journal has the result. Should the process itself die, the timer
that `arm` started decides; one whose step takes too long ends itself. A silent operator is taken for gone.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Mapping

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host.journal import RESTART, Entry, record
from tempo_infra.on_host.lazy import Later
from tempo_infra.on_host.lock import HostLock
from tempo_infra.on_host.scope import enter_scope
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.speaking import Speaker
from tempo_infra.on_host.steps.step import HANGS, UNDO_S
from tempo_infra.on_host.watch import Watch
from tempo_infra.on_host.wire import Event, Reply, WireError, decode_request, read_frame

if TYPE_CHECKING:
    from tempo_infra.on_host import (
        containers,
        database,
        facts,
        generation,
        hangup,
        identity,
        role_health,
        undo,
    )
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change, reading
    from tempo_infra.on_host.steps.step import Step
else:
    containers, database, facts = map(Later, ("containers", "database", "facts"))
    generation, hangup, identity = map(Later, ("generation", "hangup", "identity"))
    role_health, undo = map(Later, ("role_health", "undo"))

Handler = Callable[["Session", Any], object]  # of one kind of step
# Read only, or written by who decides, or a record by itself, or the end of the journal.
UNWRITTEN = {
    *("lock", "unlock", "note", "state", "departed", "confirm", "rollback", "runs", "cluster-record"),
    *("remove", "eject", "kept-generation", "receive", "piece"),
}
PIECE_BYTES = 16 * 1024
MEASURING = {"facts", "clock"}  # steps that change nothing
READING = {
    "lock",
    "unlock",
    "state",
    "kept-generation",
    "departed",
    *MEASURING,
}  # nor do these: they may end with the login
IDLE_S = 30.0  # after these, a silent operator is gone: a link that is dead says nothing for hours
SAID_S = 5.0  # for the last words of a program that ends in the middle of a step
UNDECIDED_S = 86400.0  # an operator who asks for nothing more keeps a change undecided no longer than that
SILENT_S = 120.0  # between a run's requests; a program that stands still must not keep others out for ever


class Session:
    """One connection's worth of work on a host."""

    def __init__(
        self,
        handlers: "Mapping[type[Step], Handler]",
        nonce: str,
        stdin: BinaryIO,
        stdout: BinaryIO,
        layout: Layout,
        ahead: bytes = b"",
    ) -> None:
        """`ahead` was read from the input already."""
        self._handlers = handlers
        self._nonce, self._stdin, self._stdout, self._layout = nonce, stdin, stdout, layout
        self._ahead = io.BytesIO(ahead)
        self._lock = HostLock(layout)
        self._run = ""
        self._say_to = Speaker(nonce, stdout)
        self._watch = self._watching()
        self._step = ""
        self._asked_at = time.monotonic()
        self._in_scope = False
        self._away: dict[str, float] = {}  # services recreated by this run -> since when
        self._patience_s = 0.0  # 0: without end
        self._end = "the connection was lost"

    def serve(self) -> None:
        """Answer requests until the input ends."""
        signal.signal(signal.SIGALRM, self._end_input)
        self._serve()

    def _serve(self) -> None:
        while True:
            frame = self._next_frame()
            if frame is None:
                return self._settle_alone()
            self._beat()  # also a request: its operator is there, however late
            kind, body, payload = frame
            if kind == "alive":
                if self._forgotten():
                    return self._settle_alone()
                continue
            if kind != "request":
                raise WireError(f"unexpected frame {kind!r}")
            with self._watching():
                steps = decode_request(body, payload)
                reply = self._do(steps)
            self._say_to.reply(reply)
            self._asked_at = time.monotonic()
            self._patience_s = self._patience_after(steps)

    def _watching(self) -> Watch:
        self._watch = Watch(self._is_alive, self._leave)
        return self._watch

    def _is_alive(self, step: str) -> None:
        self._beat()
        self._say_to.alive(step)

    def _leave(self, step: str, after_s: float) -> None:
        """End this program while a step hangs: nobody waits for it any longer, nothing of it is held.

        A change under way is decided by the timer, which hears nothing more.
        """
        what = f"not done after {after_s:g} s: something on this host hangs"
        self._say_to.reply(Reply([], step, what, remedy=HANGS, left=True), wait_s=SAID_S)
        last = threading.Thread(target=self._journal, args=(step, "failed", "", what), daemon=True)
        last.start()  # its disk may be what hangs
        last.join(SAID_S)
        hangup.end(last=self._lock.drop)  # the step may still be at work until then: nobody else is

    def _forgotten(self) -> bool:
        """Whether an operator who is there has asked for nothing for so long that he, too, hangs."""
        return time.monotonic() - self._asked_at > UNDECIDED_S and self._undecided() is not None

    def _next_frame(self) -> tuple[str, Any, bytes] | None:
        try:
            self._wait_at_most(self._patience_s)
            return read_frame(self._nonce, self._readline, self._read)
        except (WireError, ValueError, OSError):
            return None  # a request cut in the middle is no request: the operator is gone
        finally:
            self._wait_at_most(0.0)

    def _patience_after(self, steps: list[Step]) -> float:
        """Return how long the operator may be silent; a change under way is the timer's to decide first."""
        if not self._run:
            return IDLE_S if {step.name for step in steps} <= MEASURING else 0.0
        armed = self._undecided()
        return SILENT_S + (armed.grace_s if armed is not None else 0.0)

    def _wait_at_most(self, seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _end_input(self, *_: object) -> None:
        """Let whoever waits find the end of the input; a request that has just arrived is still done."""
        self._end = f"nothing was heard of the operator for {self._patience_s:g} s"
        print(f"{self._end}, so this host was let go", file=sys.stderr, flush=True)  # noqa: T201  # nobody listens but who reads ssh's own output
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self._stdin.fileno())
        os.close(nothing)

    def _readline(self) -> bytes:
        return self._ahead.readline() or self._stdin.readline()

    def _read(self, count: int) -> bytes:
        """Read in pieces, and say after each that something arrives: the link may be slow."""
        pieces = []
        while count > 0 and (piece := self._piece(min(count, PIECE_BYTES))):
            pieces.append(piece)
            count -= len(piece)
            if count:
                self._event(Event(self._step, "alive"))
                self._wait_at_most(self._patience_s)
        return b"".join(pieces)

    def _piece(self, count: int) -> bytes:
        return self._ahead.read(count) or self._stdin.read(count)

    def _settle_alone(self) -> None:
        """Decide now, by health, about what was switched and not confirmed: the operator is gone."""
        armed = self._undecided()
        if armed is None:
            return
        with self._watching() as watch, contextlib.suppress(StepError, OSError):  # or the timer decides
            watch.begin("rollback", UNDO_S + armed.soak_s)
            undo.settle(self._layout, armed, self._end)

    def _do(self, steps: list[Step]) -> Reply:
        results: list[Any] = []
        for step in steps:
            self._step, started = step.name, time.monotonic()
            self._event(Event(step.name, "started"))
            try:
                self._watch.begin(step.name, step.longest_s)
                self._outlive_the_login(step)
                result = self._handlers[type(step)](self, step)
            except StepError as error:
                return self._failed(results, step, error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the operator must learn which step it was
                return self._failed(results, step, StepError(f"{type(error).__name__}: {error}"))
            results.append(_plain(result))
            self._journal(step.name, "done")
            say = str(getattr(result, "say", ""))  # what is worth a word beside the step's name
            self._event(Event(step.name, "ended", say, time.monotonic() - started))
        return Reply(results)

    def _failed(self, results: list[Any], step: Step, error: StepError) -> Reply:
        what, remedy = str(error), error.remedy
        self._journal(step.name, "failed", detail=what)
        self._event(Event(step.name, "failed", what))
        armed = self._undecided()
        if armed is None:
            person = step.name == "rollback"
            return Reply(results, step.name, what, remedy, what if person else "", needs_person=person)
        return self._put_back(results, armed, (step.name, what, remedy))

    def _undecided(self) -> guard.Armed | None:
        """Return this run's change while it is to be decided; a damaged record is said by who needs it."""
        try:
            return guard.open_run(self._layout, self._run)
        except (StepError, OSError):
            return None

    def _put_back(self, results: list[Any], armed: guard.Armed, failure: tuple[str, str, str]) -> Reply:
        self._step, started = "rollback", time.monotonic()
        self._watch.begin("rollback", UNDO_S)
        self._event(Event("rollback", "started"))
        name, what, remedy = failure
        try:
            now = undo.failed(self._layout, armed, f"{name}: {what}", self.say)
        except (StepError, OSError) as error:
            self._event(Event("rollback", "failed", str(error)))
            remedy = error.remedy if isinstance(error, StepError) else remedy
            return Reply(results, name, what, remedy, now=str(error), needs_person=True)
        self._event(Event("rollback", "ended", now, time.monotonic() - started))
        return Reply(results, name, what, remedy, now=now)

    def say(self, text: str) -> None:
        self._event(Event(self._step, "progress", text))

    def _journal(self, step: str, result: str, digest: str = "", detail: str = "") -> None:
        """Write what happened; the words that decide (confirm, rollback) are written by who does them."""
        if not self._run or step in UNWRITTEN:
            return
        with contextlib.suppress(OSError):  # a full disk is said by the step that needs it
            record(self._layout, Entry(self._run, step, result, digest, detail=detail))

    def _beat(self) -> None:
        guard.beat_on(self._layout, self._run)

    def _event(self, event: Event) -> None:
        self._say_to.event(event)

    def lock(self, step: change.Lock) -> dict[str, str]:
        self._lock.acquire(step.run, step.who, wait_s=step.wait_s, may_be_killed=True)
        self._run = step.run
        return {}

    def _outlive_the_login(self, step: Step) -> None:
        """Before anything is changed: the end of the operator's login must not end this process."""
        if self._run and not self._in_scope and step.name not in READING:
            enter_scope(self._run)
            self._in_scope = True

    def unlock(self, _: change.Unlock) -> dict[str, str]:
        self._lock.release()
        self._run = ""
        return {}

    def switch(self, step: change.Switch) -> generation.Switched:
        record(self._layout, Entry(self._run, "switch", "started", step.digest))
        return generation.switch(self._layout, step)

    def postgres_ready(self, step: change.PostgresReady) -> database.Ready:
        ready = database.postgres_ready(self._layout, step)
        identity.keep(self._layout, self._run, ready.system_identifier)
        self._back("postgresql", time.monotonic())
        return ready

    def up(self, step: change.Up) -> containers.Brought:
        started = time.monotonic()
        brought = containers.up(self._layout, step)
        self._away |= dict.fromkeys(brought.made_anew, started)
        return brought

    def serving(self, step: change.Serving) -> dict[str, float]:
        started = time.monotonic()
        took = role_health.role_health(self._layout, step)
        for role, seconds in took.items():
            self._back(role, started + seconds)
        return took

    def _back(self, service: str, at: float) -> None:
        """Write into the journal for how long a service was away: the next plan says it."""
        since = self._away.pop(service, None)
        if since is not None and self._run:
            with contextlib.suppress(OSError):
                record(
                    self._layout,
                    Entry(self._run, RESTART, "done", detail=service, seconds=round(at - since, 2)),
                )

    def facts(self, step: reading.Facts) -> facts.Facts:
        """Measure while the operator is there: nobody else wants the facts."""
        with hangup.ended_with(self._stdin.fileno()):
            return facts.collect(step.options)

    @property
    def layout(self) -> Layout:
        return self._layout


def _plain(result: Any) -> Any:
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
