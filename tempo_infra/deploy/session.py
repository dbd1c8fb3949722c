"""One connection to one host with our program at its other end: steps go in, results and events come out."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tempo_infra.deploy import responses
from tempo_infra.deploy.payload import HELLO, answer, command, opening, wish
from tempo_infra.deploy.starting import Login, failed, last_words
from tempo_infra.deploy.turn import LateError, Turn
from tempo_infra.errors import RollbackFailedError, StepFailedError, UnreachableError
from tempo_infra.on_host.remedies import remedy
from tempo_infra.on_host.wire import Event, Reply, WireError, encode, encode_request, read_frame
from tempo_infra.ssh import LOST, Connection, Process, connect, resolve
from tempo_infra.ssh.reasons import WAY_TO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.steps.step import Step

SILENCE_S = 30.0  # a host at work says "alive" every 3 s; one this silent is gone
FRAMES = 100_000  # of one answer: a host at work says something every few seconds
EVENTS = 2000  # of these, what is more than a sign of life: a step says a few things
PING_S = 5.0
NOISE_KEPT = 4096
GOES_ON = "the host ends the step that it is in by itself; the same command goes on from there"


@dataclass(frozen=True, slots=True)
class Sudo:
    """How to become root on the hosts. The password is tried once and goes by standard input only."""

    password: str | None = None

    def __repr__(self) -> str:
        return f"Sudo(password={'given' if self.password else None})"


class Session:
    """An open program on a host."""

    def __init__(
        self,
        host: str,
        process: Process,
        nonce: str,
        hide: Callable[[str], str] = str,
        login: Login = Login(),  # noqa: B008 - frozen
        *,
        reached: str | None = None,
    ) -> None:
        """`hide` takes secrets out of what the host says: somebody may have written one into a file there.

        `reached` is the address that ssh connected to from here; None through a jump host.
        """
        self.host, self.reached = host, reached
        self._process, self._nonce, self._hide, self._login = process, nonce, hide, login
        self._noise = bytearray()  # the end of what was said before the first frame
        self._calling = threading.Lock()
        self._opened = self._supplied = self._heard = False

    def ping(self) -> None:
        """Tell an idle host that its operator is there. Nothing is answered: `call` finds a dead link."""
        if not self._calling.acquire(blocking=False):
            return
        try:
            if self._heard:  # else the program may still be on its way
                with contextlib.suppress(UnreachableError):
                    self._process.send(encode(self._nonce, "alive", {}), deadline_s=PING_S)
        finally:
            self._calling.release()

    def call(
        self,
        steps: Sequence[Step],
        on_event: Callable[[Event], None] = lambda _: None,
        *,
        deadline_s: float = math.inf,
    ) -> list[object]:
        """Do steps on the host, in order, and return their results as JSON values, which nobody has read yet.

        StepFailedError when one fails (the rest is not begun); UnreachableError when the host falls silent,
        is in a step for longer than that may take (`Step.longest_s`) or not done by the deadline, or says
        something else than an answer.
        """
        with self._calling:
            return self._called(steps, on_event, deadline_s)

    def _called(
        self, steps: Sequence[Step], on_event: Callable[[Event], None], deadline_s: float
    ) -> list[object]:
        request = encode_request(self._nonce, list(steps))
        turn, name, events = Turn(steps, deadline_s), steps[0].name, 0
        self._send(request if self._opened else opening(self._nonce, request), name, turn)
        self._opened = True
        for _ in range(FRAMES):
            kind, body = self._next_frame(steps, turn)
            try:
                if kind == "event":
                    event = responses.event(body, steps, self._hide)
                    events += event.state != responses.ALIVE
                    if events > EVENTS:
                        break
                else:
                    return self._results(responses.reply(body, steps, self._hide))
            except TypeError as error:
                raise UnreachableError(f"{name}: its answer can't be read: {error}", host=self.host) from None
            turn.heard(event)
            on_event(event)
        raise UnreachableError(f"{name}: its answer doesn't end", host=self.host)

    def _results(self, reply: Reply) -> list[object]:
        if not reply.failed:
            return reply.results
        kind = RollbackFailedError if reply.needs_person else StepFailedError
        what = f"{reply.failed}: {reply.error}"
        if reply.left:
            raise LateError(what, host=self.host, remedy=reply.remedy)
        raise kind(what, host=self.host, remedy=reply.remedy, now=reply.now, step=reply.failed)

    def _send(self, data: bytes, step: str, turn: Turn) -> None:
        """Write to the program; UnreachableError says why it ended, when it has."""
        try:
            with turn.sending(len(data)) as seconds:
                self._process.send(data, deadline_s=seconds)
        except UnreachableError as error:
            if self._process.ended:
                raise self._why_ended(step) from error
            raise UnreachableError(f"unreachable: {step}: {error.what}", host=self.host) from error

    def _next_frame(self, steps: Sequence[Step], turn: Turn) -> tuple[str, Any]:
        step = steps[0].name

        def exactly(count: int) -> bytes:
            turn.answers(count)
            return self._process.read_exact(count, deadline_s=SILENCE_S, check=turn.check)

        try:
            turn.check()
            frame = read_frame(
                self._nonce,
                lambda: self._read_line(turn),
                exactly,
                lambda kind: responses.most_bytes(kind, steps),
            )
        except WireError as error:
            raise UnreachableError(f"{step}: {error}", host=self.host) from error
        except LateError as error:
            error.host = self.host
            raise
        except UnreachableError as error:
            raise UnreachableError(f"unreachable: {step}: {error.what}", host=self.host) from error
        if frame is None:
            raise self._why_ended(step)
        self._heard = True
        return frame[0], frame[1]

    def _read_line(self, turn: Turn) -> bytes:
        """Return the next line; a host that asks for the program is sent it, once."""
        turn.check()
        line = self._process.read_line(deadline_s=SILENCE_S, check=turn.check)
        if not self._heard and line.strip() not in (HELLO, wish(self._nonce)):
            self._noise += line
            del self._noise[:-NOISE_KEPT]
        if not self._supplied and line.strip() == wish(self._nonce):
            self._supplied = True
            self._send(answer(), "start", turn)
        return line

    def _why_ended(self, step: str) -> Exception:
        done = self._process.finish(deadline_s=SILENCE_S)
        if done.returncode == LOST:
            words = self._process.farewell
            return UnreachableError(
                f"unreachable: {step}: the connection was lost" + (f" ({words})" if words else ""),
                host=self.host,
                remedy=GOES_ON if self._heard else remedy(WAY_TO, words, GOES_ON),
            )
        if self._heard:
            words = last_words(done.stderr.decode(errors="replace")) or f"exit code {done.returncode}"
            what = f"{step}: the program on the host has ended: {words}"
            return UnreachableError(what, host=self.host, remedy="run the same command again")
        return failed(self.host, self._login, replace(done, stdout=bytes(self._noise) + done.stdout))


@contextlib.contextmanager
def open_session(host: Host, sudo: Sudo, hide: Callable[[str], str] = str) -> Iterator[Session]:
    """Log in, become root and start our program. HostKeyError, UnreachableError."""
    with connect(resolve(host.name, host.ssh)) as connection:
        nonce = secrets.token_hex(12)
        process = as_root(connection, host, sudo, command(nonce))
        try:
            login = Login(host.ssh.user, host.ssh.address, host.ssh.port)
            yield Session(host.name, process, nonce, hide, login, reached=connection.reached)
        finally:
            process.close_stdin()


def as_root(connection: Connection, host: Host, sudo: Sudo, words: list[str]) -> Process:
    """Start a program as root, whose first line is HELLO."""
    if host.ssh.user == "root":
        return connection.start(words)
    if sudo.password is None:
        return connection.start(["sudo", "-n", "--", *words])
    return _with_password(connection, host, sudo.password, words)


def _with_password(connection: Connection, host: Host, password: str, python: list[str]) -> Process:
    """Answer sudo's own question once; a second question means that the password is wrong."""
    prompt = f"[{secrets.token_hex(8)}]"
    process = connection.start(["sudo", "-k", "-S", "-p", prompt, "--", *python])
    if process.asked(prompt.encode(), times=1, unless=HELLO, deadline_s=SILENCE_S):
        process.send(f"{password}\n".encode(), deadline_s=SILENCE_S)
        # Our program says hello first; a second question would be answered by our next bytes.
        if process.asked(prompt.encode(), times=2, unless=HELLO, deadline_s=SILENCE_S):
            process.close()
            raise UnreachableError(
                f"sudo refused the password of {host.ssh.user} (one try was made)", host=host.name
            )
    return process
