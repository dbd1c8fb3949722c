"""Found healthy is not kept yet: containers that were recreated must last."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import undo
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tests.unit.on_host.test_undo import ARMED

OLD, NEW = {"ui": "id-1,then,0"}, {"ui": "id-2,now,0"}


class Clock:
    """The clock since boot; sleeping moves it, and what runs may change meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 100.0, 0.0
        self.running, self.crashes_at = dict(NEW), float("inf")
        self.asked: list[float] = []
        monkeypatch.setattr(guard, "since_boot_s", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(undo, "running", lambda _: self.running)
        monkeypatch.setattr(undo, "check_health", lambda *_, **__: self.asked.append(self.now))

    def sleep(self, seconds: float) -> None:
        self.now, self.slept = self.now + seconds, self.slept + seconds
        if self.slept >= self.crashes_at:
            self.running = {"ui": "id-2,later,1"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def healthy(**more: object) -> guard.Armed:
    armed = replace(ARMED, phase="healthy", soak_s=10.0, healthy_at=100.0, running=OLD, started=NEW)
    return replace(armed, **more)  # type: ignore[arg-type]  # fields of Armed


def test_new_containers_run_for_the_whole_time_and_are_asked_again(clock: Clock, tmp_path: Path) -> None:
    undo.soak(Layout(tmp_path), healthy())
    assert clock.slept == pytest.approx(10.0)
    assert clock.asked == [pytest.approx(110.0)]


def test_what_has_run_so_long_already_is_not_waited_for(clock: Clock, tmp_path: Path) -> None:
    clock.now = 107.0
    undo.soak(Layout(tmp_path), healthy())
    assert clock.slept == pytest.approx(3.0)


def test_a_change_that_restarts_nothing_does_not_wait(clock: Clock, tmp_path: Path) -> None:
    clock.running = dict(OLD)
    undo.soak(Layout(tmp_path), healthy(started=OLD))
    assert (clock.slept, clock.asked) == (0.0, [])


def test_one_that_ends_and_is_started_again_is_found(clock: Clock, tmp_path: Path) -> None:
    clock.crashes_at = 4.0
    with pytest.raises(StepError, match="restarted or ended after it was healthy: ui"):
        undo.soak(Layout(tmp_path), healthy())
    assert clock.slept < 10.0


def test_nothing_is_confirmed_before(clock: Clock, tmp_path: Path) -> None:
    clock.crashes_at = 4.0
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    with pytest.raises(StepError):
        undo.confirm(layout, healthy(), by="health")
    assert not layout.journal.exists()
