"""A case as data, and the one way in which all of them are run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.relay import Relay
from tests.lab import invariants
from tests.lab.conftest import Ran
from tests.lab.reliability.bed import RUN_S, Bed, Change, Kind, foreign, wait_for_containers
from tests.lab.reliability.watch import Moment, Watcher

OLD, NEW = "old", "new"


@dataclass
class Scene:
    """One run of the program while something goes wrong."""

    bed: Bed
    change: Change
    soak: str = ""
    decide_after: str = ""
    words: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def provision(self, *words: str, relay: Relay | None = None) -> Ran:
        return self.bed.run("provision", self.inventory(relay), *self.words, *words)

    def start(self, relay: Relay | None = None) -> subprocess.Popen[str]:
        return self.bed.start(self.inventory(relay), *self.words)

    def inventory(self, relay: Relay | None = None) -> Path:
        return self.bed.inventory(self.change, relay, self.soak, self.decide_after)

    def at(
        self, moment: Moment, act: Callable[[subprocess.Popen[str]], object], relay: Relay | None = None
    ) -> Ran:
        """Provision, and do something while the run stands still at a moment."""
        with Watcher(self.bed.host, moment) as watcher:
            operator = self.start(relay)
            if not watcher.seen(operator):
                raise AssertionError(f"{moment} was not seen: {ended(operator).said}")
            act(operator)
            watcher.go_on()
            return ended(operator)


def ended(operator: subprocess.Popen[str]) -> Ran:
    out, _ = operator.communicate(timeout=RUN_S)
    return Ran(operator.returncode, out, "")


Plant = Callable[[Scene], Ran]


@dataclass(frozen=True)
class Case:
    """A fault at a step, and what may come of it."""

    fault: str
    step: str
    plant: Plant
    outcomes: frozenset[str] = frozenset({OLD, NEW})
    codes: frozenset[int] = frozenset()  # empty: what goes with the outcome
    says: str = ""
    bed: Kind = "light"
    fast: bool = False
    boots: bool = False  # the host is switched off or rebooted: others' containers start again
    soak: str = ""
    decide_after: str = ""  # longer than the run stands still, where the host must not decide meanwhile
    words: tuple[str, ...] = ()
    change: Callable[[], Change] = Change.new
    retake: bool = False  # what follows needs --take-over: the host was edited by hand
    after: Change | None = None  # what the run after it asks for; None: the same change

    @property
    def id(self) -> str:
        return f"{self.fault}-{self.step}".replace(" ", "_").replace("/", "-")


@dataclass(frozen=True)
class Outcome:
    fault: str
    step: str
    outcome: str
    code: int
    seconds: float
    bed: str


def run(case: Case, bed: Bed) -> Outcome:
    """Plant the fault, wait until the host has decided, look, provision as ever, look again."""
    before = bed.last or bed.look()
    assert invariants.wrong_with(before, bed.rows) == []
    bed.last = None
    scene = Scene(bed, case.change(), case.soak, case.decide_after, case.words)
    started = time.monotonic()
    ran = case.plant(scene)
    bed.decided()
    seconds = time.monotonic() - started
    if case.boots:
        wait_for_containers(bed)
    after = bed.look()
    outcome = OLD if after["current"] == before["current"] else NEW
    said = f"{outcome}, exit code {ran.code}\n{ran.said}"
    wrong = invariants.wrong_with(after, bed.rows, settled=ran.code == 0)
    assert not wrong, f"{wrong}\n{said}"
    assert foreign(after, rebooted=case.boots) == foreign(before, rebooted=case.boots), said
    _is_allowed(case, outcome, ran, said)
    _goes_on(case, bed, scene, after)
    return Outcome(case.fault, case.step, outcome, ran.code, round(seconds, 1), case.bed)


def _is_allowed(case: Case, outcome: str, ran: Ran, said: str) -> None:
    assert outcome in case.outcomes, said
    assert "Traceback" not in ran.said, said
    assert case.says in ran.said, said
    if case.codes:
        assert ran.code in case.codes, said
    elif ran.code == 0:
        assert outcome == NEW, said


def _goes_on(case: Case, bed: Bed, scene: Scene, before: invariants.Look) -> None:
    """The next run works as if nothing had been."""
    ran = bed.provision(case.after or scene.change, *(["--take-over"] if case.retake else []))
    seen = bed.look()
    wrong = invariants.wrong_with(seen, bed.rows)
    assert not wrong, f"{wrong}\n{ran.said}"
    assert foreign(seen, rebooted=False) == foreign(before, rebooted=False), ran.said
    bed.last = seen
