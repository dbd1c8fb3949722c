"""One connection to one host with our program at its other end: steps go in, results and events come out."""

from __future__ import annotations

import contextlib
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tempo_infra.deploy.payload import START, opening
from tempo_infra.errors import RollbackFailedError, StepFailedError, UnreachableError
from tempo_infra.on_host.wire import Event, Reply, Step, WireError, encode, encode_request, read_frame
from tempo_infra.ssh import LOST, Connection, Process, connect, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tempo_infra.inventory.cluster import Host

SILENCE_S = 30.0  # a host at work says "alive" every 5 s; one this silent is gone
SEND_S = 120.0
PING_S = 5.0

ADMIN_HINT = "give the user sudo without a password, or use --ask-sudo-password"


@dataclass(frozen=True, slots=True)
class Sudo:
    """How to become root on the hosts. The password is tried once and goes by standard input only."""

    password: str | None = None

    def __repr__(self) -> str:
        return f"Sudo(password={'given' if self.password else None})"


class Session:
    """An open program on a host."""

    def __init__(self, host: str, process: Process, nonce: str) -> None:
        self.host = host
        self._process, self._nonce = process, nonce
        self._sending = threading.Lock()

    def ping(self) -> None:
        """Tell the host that its operator is there; nothing is answered. A dead link is found by `call`."""
        with self._sending, contextlib.suppress(UnreachableError):
            self._process.send(encode(self._nonce, "alive", {}), deadline_s=PING_S)

    def call(self, steps: Sequence[Step], on_event: Callable[[Event], None] = lambda _: None) -> list[Any]:
        """Do steps on the host, in order, and return their results as JSON values.

        StepFailedError when one fails (the rest is not begun); UnreachableError when the host falls silent.
        """
        with self._sending:
            self.send(encode_request(self._nonce, list(steps)), steps[0].name)
        while True:
            kind, body = self._next_frame(steps[0].name)
            if kind == "event":
                on_event(Event(**body))
                continue
            reply = Reply(**body)
            if reply.failed:
                kind_of = RollbackFailedError if reply.needs_person else StepFailedError
                what = f"{reply.failed}: {reply.error}"
                raise kind_of(what, host=self.host, remedy=reply.remedy, now=reply.now, step=reply.failed)
            return reply.results

    def send(self, data: bytes, step: str) -> None:
        """Write to the program; UnreachableError says why it ended, when it has."""
        try:
            self._process.send(data, deadline_s=SEND_S)
        except UnreachableError as error:
            if self._process.ended:
                raise self._why_ended(step) from error
            raise UnreachableError(f"unreachable: {step}: {error.what}", host=self.host) from error

    def _next_frame(self, step: str) -> tuple[str, Any]:
        try:
            frame = read_frame(
                self._nonce,
                lambda: self._process.read_line(deadline_s=SILENCE_S),
                lambda count: self._process.read_exact(count, deadline_s=SILENCE_S),
            )
        except WireError as error:
            raise UnreachableError(f"{step}: {error}", host=self.host) from error
        except UnreachableError as error:
            raise UnreachableError(f"unreachable: {step}: {error.what}", host=self.host) from error
        if frame is None:
            raise self._why_ended(step)
        return frame[0], frame[1]

    def _why_ended(self, step: str) -> Exception:
        done = self._process.finish(deadline_s=SILENCE_S)
        if done.returncode == LOST:
            words = self._process.farewell
            return UnreachableError(
                f"unreachable: {step}: the connection was lost" + (f" ({words})" if words else ""),
                host=self.host,
                remedy="the host ends the step that it is in by itself; the same command goes on from there",
            )
        said = done.stderr.decode(errors="replace")
        words = _printable(said.strip().splitlines()[-1]) if said.strip() else f"exit code {done.returncode}"
        remedy = {
            127: "the host needs python3 and sudo: apt-get install python3 sudo",
            1: ADMIN_HINT + "; with `Defaults requiretty`: add `Defaults:<user> !requiretty` to sudoers",
        }.get(done.returncode, "")
        return UnreachableError(
            f"{step}: could not start work on the host: {words}", host=self.host, remedy=remedy
        )


@contextlib.contextmanager
def open_session(host: Host, sudo: Sudo) -> Iterator[Session]:
    """Log in, become root and start our program. HostKeyError, UnreachableError."""
    with connect(resolve(host.name, host.ssh)) as connection:
        nonce = secrets.token_hex(12)
        process = _start(connection, host, sudo, nonce)
        session = Session(host.name, process, nonce)
        try:
            session.send(opening(nonce), "start")
            yield session
        finally:
            process.close_stdin()


def _start(connection: Connection, host: Host, sudo: Sudo, nonce: str) -> Process:
    python = ["python3", "-I", "-c", START, nonce]
    if host.ssh.user == "root":
        return connection.start(python)
    if sudo.password is None:
        return connection.start(["sudo", "-n", "--", *python])
    return _with_password(connection, host, sudo.password, python)


def _with_password(connection: Connection, host: Host, password: str, python: list[str]) -> Process:
    """Answer sudo's own question once; a second question means that the password is wrong."""
    prompt = f"[{secrets.token_hex(8)}]"
    process = connection.start(["sudo", "-k", "-S", "-p", prompt, "--", *python])
    if process.asked(prompt.encode(), times=1, deadline_s=SILENCE_S):
        process.send(f"{password}\n".encode(), deadline_s=SILENCE_S)
        # Our program says hello first; a second question would be answered by our next bytes.
        if process.asked(prompt.encode(), times=2, deadline_s=SILENCE_S):
            process.close()
            raise UnreachableError(
                f"sudo refused the password of {host.ssh.user} (one try was made)", host=host.name
            )
    return process


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:300]
