"""The program that runs on a host for the length of one connection: it reads requests and does their steps.

Nothing of it stays on the host. When the connection is lost in the middle of a request, the request is
finished, its result stands in the journal, and the program ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, BinaryIO, Callable

from tempo_infra.on_host import containers, database, generation, role_health, state
from tempo_infra.on_host.bootstrap import install_docker
from tempo_infra.on_host.disk_speed import measure
from tempo_infra.on_host.facts import FactsOptions, collect
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.lock import HostLock
from tempo_infra.on_host.namespaces import NamespaceArgs, namespaces
from tempo_infra.on_host.secret_files import SecretArgs, write_secrets
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.wire import Event, Reply, Step, WireError, decode_request, encode, read_frame

ALIVE_EVERY_S = 5.0  # the controller gives a silent host up after several of these


@dataclass(frozen=True)
class LockArgs:
    run: str
    who: str


@dataclass(frozen=True)
class ConfirmArgs:
    run: str
    digest: str


class Session:
    """One connection's worth of work on a host."""

    def __init__(self, nonce: str, stdin: BinaryIO, stdout: BinaryIO, layout: Layout) -> None:
        self._nonce, self._stdin, self._stdout, self._layout = nonce, stdin, stdout, layout
        self._lock = HostLock(layout)
        self._run = ""
        self._writing = threading.Lock()
        self._step = ""

    def serve(self) -> None:
        """Answer requests until the input ends."""
        while True:
            frame = read_frame(self._nonce, self._stdin.readline, self._stdin.read)
            if frame is None:
                return
            kind, body, payload = frame
            if kind != "request":
                raise WireError(f"unexpected frame {kind!r}")
            stop = threading.Event()
            alive = threading.Thread(target=self._say_alive, args=(stop,), daemon=True)
            alive.start()
            reply = self._do(decode_request(body, payload))
            stop.set()
            alive.join()
            self._send("reply", asdict(reply))

    def _do(self, steps: list[Step]) -> Reply:
        results: list[Any] = []
        for step in steps:
            self._step, started = step.name, time.monotonic()
            self._event(Event(step.name, "started"))
            try:
                result = HANDLERS[step.name](self, step)
            except StepError as error:
                return self._failed(results, step, str(error), error.remedy)
            except Exception as error:  # noqa: BLE001 - whatever it is, the operator must learn which step it was
                return self._failed(results, step, f"{type(error).__name__}: {error}", "")
            results.append(_plain(result))
            self._journal(step.name, "done")
            say = str(getattr(result, "say", ""))  # what is worth a word beside the step's name
            self._event(Event(step.name, "ended", say, time.monotonic() - started))
        return Reply(results)

    def _failed(self, results: list[Any], step: Step, what: str, remedy: str) -> Reply:
        self._journal(step.name, "failed")
        self._event(Event(step.name, "failed", what))
        return Reply(results, step.name, what, remedy)

    def _journal(self, step: str, result: str, digest: str = "") -> None:
        if self._run and step not in ("lock", "state"):
            record(self._layout, Entry(self._run, step, result, digest))

    def _say_alive(self, stop: threading.Event) -> None:
        while not stop.wait(ALIVE_EVERY_S):
            self._event(Event(self._step, "alive"))

    def _event(self, event: Event) -> None:
        self._send("event", asdict(event))

    def _send(self, kind: str, body: Any) -> None:
        with self._writing:
            try:
                self._stdout.write(encode(self._nonce, kind, body))
                self._stdout.flush()
            except OSError:
                pass  # the operator is gone; the work goes on, and the journal has the result

    def lock(self, step: Step) -> dict[str, str]:
        args = LockArgs(**step.args)
        self._lock.acquire(args.run, args.who)
        self._run = args.run
        return {}

    def switch(self, step: Step) -> generation.Switched:
        args = generation.SwitchArgs(**step.args)
        self._journal("switch", "started", args.digest)
        return generation.switch(self._layout, args)

    def confirm(self, step: Step) -> dict[str, str]:
        args = ConfirmArgs(**step.args)
        record(self._layout, Entry(args.run, "confirm", "confirmed", args.digest))
        return {}

    @property
    def layout(self) -> Layout:
        return self._layout


HANDLERS: dict[str, Callable[[Session, Step], Any]] = {
    "state": lambda s, step: state.read_state(s.layout, state.StateArgs(**step.args)),
    "facts": lambda _, step: collect(FactsOptions.of(step.args)),
    "clock": lambda _, __: {"ns": time.time_ns()},
    "lock": Session.lock,
    "bootstrap": lambda _, __: install_docker(),
    "stage": lambda s, step: generation.stage(s.layout, generation.StageArgs(**step.args), step.payload),
    "validate": lambda s, step: containers.validate(s.layout, containers.ValidateArgs(**step.args)),
    "pull": lambda _, step: containers.pull(containers.PullArgs(**step.args)),
    "secrets": lambda s, step: write_secrets(s.layout, SecretArgs(**step.args), step.payload),
    "disk-speed": lambda s, _: measure(s.layout),
    "data": lambda s, _: database.make_data_folder(s.layout),
    "switch": Session.switch,
    "up": lambda s, step: containers.up(s.layout, containers.UpArgs(**step.args)),
    "postgres-ready": lambda s, step: database.postgres_ready(s.layout, database.Address(**step.args)),
    "sql": lambda s, step: database.sql(s.layout, database.SqlArgs(**step.args), step.payload),
    "schema": lambda s, step: containers.job(s.layout, containers.JobArgs(**step.args), b""),
    "database-answers": lambda _, step: database.database_answers(database.Address(**step.args)),
    "serving": lambda s, step: role_health.role_health(s.layout, role_health.RoleHealthArgs(**step.args)),
    "membership": lambda s, step: database.membership(s.layout, database.MembershipArgs(**step.args)),
    "namespaces": lambda s, step: namespaces(s.layout, NamespaceArgs(**step.args)),
    "confirm": Session.confirm,
}


def _plain(result: Any) -> Any:
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result


def main(nonce: str) -> None:
    """Serve one connection; called by the bootstrap line that the controller sends."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost terminal must not stop a step half way
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.umask(0o022)
    Session(nonce, sys.stdin.buffer, sys.stdout.buffer, Layout()).serve()
