"""The open sessions of one run, one a host, and doing things with several of them at once."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import TypeAdapter

from tempo_infra.deploy.events import Progress, State
from tempo_infra.deploy.feeding import Feed, requests
from tempo_infra.deploy.responses import read
from tempo_infra.errors import TempoInfraError, UnreachableError
from tempo_infra.ssh import fan_out, threads_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from types import TracebackType

    from tempo_infra.deploy.feeding import Todo
    from tempo_infra.deploy.session import Session
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.on_host.wire import Event

    Report = Callable[[Progress], None]
    Opener = Callable[[Host], AbstractContextManager[Session]]

Result = TypeVar("Result")
# A third of the shortest grace: a host that hears nothing decides, or lets go of its lock.
ALIVE_EVERY_S = 3.0
STATES = {
    "started": State.STARTED,
    "progress": State.PROGRESS,
    "ended": State.DONE,
    "failed": State.FAILED,
}


class Fleet:
    """Sessions to hosts, opened side by side and closed together.

    While hosts wait for each other, the idle ones are told that their operator is still there.
    """

    def __init__(self, open_host: Opener, report: Report) -> None:
        self._open, self.report = open_host, report
        self._stack = contextlib.ExitStack()
        self._sessions: dict[str, Session] = {}
        self._opening: dict[str, Future[Session]] = {}
        self._ends: dict[str, contextlib.ExitStack] = {}  # host -> what ends its session
        self._guard = threading.Lock()
        self.at: dict[str, str] = {}  # host -> the step that it began last
        self.begun = False  # whether any host was told to do what changes something

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wait([opening for opening in self._opening.values() if not opening.cancel()])
        self._stack.close()

    def reach(self, hosts: Sequence[Host]) -> None:
        """Begin to open sessions, and return; who asks for one waits for it, or has its error."""
        pool = threads_for(len(hosts))
        self._opening = {host.name: pool.submit(self._opened, host) for host in hosts}
        pool.shutdown(wait=False)

    def session(self, host: Host) -> Session:
        """Return a host's session, opened at the first call."""
        with self._guard:
            known = self._sessions.get(host.name)
            opening = self._opening.pop(host.name, None)
        if known is not None:
            return known
        return opening.result() if opening else self._opened(host)

    def _opened(self, host: Host) -> Session:
        end = contextlib.ExitStack()
        session = end.enter_context(self._open(host))
        over = threading.Event()
        end.callback(over.set)
        threading.Thread(target=_keep_alive, args=(session, over), daemon=True).start()
        with self._guard:
            self._stack.push(end)
            self._sessions[host.name], self._ends[host.name] = session, end
        return session

    def reopen(self, host: Host) -> Session:
        """End a session, which a reboot may have done already, and open another one. UnreachableError.

        The program at its other end would keep the host's lock for as long as it has an operator.
        """
        with self._guard:
            self._sessions.pop(host.name, None)
            end = self._ends.pop(host.name, None)
        if end is not None:
            with contextlib.suppress(UnreachableError):
                end.close()
        return self.session(host)

    def each(
        self, hosts: Iterable[Host], work: Callable[[Host], Result]
    ) -> tuple[dict[str, Result], dict[str, TempoInfraError]]:
        """Do work for hosts side by side; results and errors by host name."""
        by_name = {host.name: host for host in hosts}
        answers = fan_out(lambda name: work(by_name[name]), by_name)
        errors = {name: answer for name, answer in answers.items() if isinstance(answer, TempoInfraError)}
        return {name: a for name, a in answers.items() if not isinstance(a, TempoInfraError)}, errors

    def do(self, steps: Mapping[str, Sequence[Todo]], hosts: Iterable[Host]) -> dict[str, TempoInfraError]:
        """Let hosts work through their steps, reported as they go; the errors by host name."""
        return self.each(self._with_steps(hosts, steps), lambda host: self._call(host, steps))[1]

    def ask(
        self, steps: Mapping[str, Sequence[Step]], hosts: Iterable[Host], kind: type[Result]
    ) -> tuple[dict[str, Result], dict[str, TempoInfraError]]:
        """As `do`, with what each answered to its last step: another kind of answer is its own error."""
        adapter = TypeAdapter(kind)

        def work(host: Host) -> Result:
            *_, answer = self._call(host, steps)
            return read(adapter, answer, host.name, steps[host.name][-1].name)

        return self.each(self._with_steps(hosts, steps), work)

    def _with_steps(self, hosts: Iterable[Host], steps: Mapping[str, Sequence[Todo]]) -> list[Host]:
        found = [host for host in hosts if steps.get(host.name)]
        todo = (step for host in found for step in steps[host.name])
        self.begun |= any(isinstance(step, Feed) or step.CHANGES for step in todo)
        return found

    def _call(self, host: Host, steps: Mapping[str, Sequence[Todo]]) -> list[object]:
        session, found = self.session(host), list[object]()
        for part in requests(steps[host.name]):
            if isinstance(part, Feed):
                self.at[host.name] = part.step
                part.give(session, self.report)
            else:
                found += session.call(part, lambda event: self._tell(host.name, event))
        return found

    def _tell(self, host: str, event: Event) -> None:
        if event.state == "started":
            self.at[host] = event.step
        state = STATES.get(event.state)
        if state is not None:
            self.report(Progress(host, event.step, state, event.seconds, event.detail))


def _keep_alive(session: Session, over: threading.Event) -> None:
    """Each host has a thread for this: one that takes nothing holds up no other's sign of life."""
    while not over.wait(ALIVE_EVERY_S):
        session.ping()
