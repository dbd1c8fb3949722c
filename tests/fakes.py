"""A host that answers from a script and records what it was asked: for order and events only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.inventory.cluster import Host
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.steps.step import Step
from tempo_infra.on_host.wire import Event


@dataclass
class FakeHosts:
    """All hosts of a fleet. `asked` lists (host, step) in the order in which they were done."""

    states: dict[str, HostState]
    fails: set[tuple[str, str]] = field(default_factory=set)
    lost: set[tuple[str, str]] = field(default_factory=set)  # steps in which the connection goes
    asked: list[tuple[str, str]] = field(default_factory=list)
    locks: dict[str, str] = field(default_factory=dict)  # host -> run that has it
    requests: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)  # step -> what it answers; others {}
    answers_of: dict[str, Any] = field(default_factory=dict)  # host -> what it answers to any of those steps
    given: list[tuple[str, Step]] = field(default_factory=list)  # the same with what it was told

    @contextlib.contextmanager
    def open(self, host: Host) -> Iterator[Any]:
        yield _Session(self, host.name)

    def steps_of(self, host: str) -> list[str]:
        return [step for name, step in self.asked if name == host]


@dataclass
class _Session:
    hosts: FakeHosts
    host: str
    run: str = ""

    def ping(self) -> None:
        """An operator who is there; nothing to do."""

    def call(self, steps: Sequence[Step], on_event: Callable[[Event], None] = lambda _: None) -> list[Any]:
        answers: list[Any] = []
        self.hosts.requests += 1
        for step in steps:
            if step.name != "state":
                self.hosts.asked.append((self.host, step.name))
                self.hosts.given.append((self.host, step))
            on_event(Event(step.name, "started"))
            if (self.host, step.name) in self.hosts.fails:
                on_event(Event(step.name, "failed", "scripted"))
                raise StepFailedError(f"{step.name}: scripted", host=self.host)
            if (self.host, step.name) in self.hosts.lost:
                raise UnreachableError(f"{step.name}: the connection was lost", host=self.host)
            self._lock(step)
            scripted = self.hosts.answers.get(step.name, {})
            if self.host in self.hosts.answers_of and step.name in self.hosts.answers:
                scripted = self.hosts.answers_of[self.host]
            answers.append(asdict(self.hosts.states[self.host]) if step.name == "state" else scripted)
            on_event(Event(step.name, "ended"))
        return answers

    def _lock(self, step: Step) -> None:
        """As the host's own: held by a run, waited for, let go of."""
        locks, end = self.hosts.locks, time.monotonic() + step.arguments.get("wait_s", 0.0)
        while step.name == "lock":
            with self.hosts.guard:
                if locks.setdefault(self.host, step.arguments["run"]) == step.arguments["run"]:
                    self.run = step.arguments["run"]
                    return
            if time.monotonic() >= end:
                what = f"lock: another run is at work on this host: x@y, run {locks.get(self.host)}"
                raise StepFailedError(what, host=self.host, step="lock")
            time.sleep(0.01)
        if step.name == "unlock" and self.run:
            with self.hosts.guard:
                locks.pop(self.host, None)
            self.run = ""
