"""One-shot services: one at a time, also when an earlier run left one at work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempo_infra.on_host import containers, engine
from tempo_infra.on_host.containers import Job, job
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import Output, StepError

LEFT: dict[str, object] = {"Id": "0123456789abcdef", "Labels": {"com.docker.compose.service": "schema"}}
OTHER: dict[str, object] = {"Id": "fedcba9876543210", "Labels": {"com.docker.compose.service": "admin-tools"}}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in order; the engine answers by `answers`."""
    done: list[str] = []

    def ran(*_: object, **__: object) -> Output:
        done.append("run")
        return Output(0, "made", "")

    monkeypatch.setattr(containers, "compose", ran)
    monkeypatch.setattr("time.sleep", lambda _: done.append("wait"))
    ticks = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: float(next(ticks)))
    return done


def answers(monkeypatch: pytest.MonkeyPatch, found: Iterator[list[dict[str, object]]]) -> None:
    monkeypatch.setattr(engine, "listed", lambda *_, **__: next(found))


def test_a_job_waits_for_the_one_that_an_earlier_run_left(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, iter([[OTHER, LEFT], [LEFT], [OTHER]]))
    assert job(Layout(Path("/")), Job("schema"), b"") == {"out": "made"}
    assert log == ["wait", "wait", "run"]


def test_one_that_does_not_end_is_named_and_nothing_is_run_beside_it(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, itertools.repeat([LEFT]))
    with pytest.raises(StepError, match="job schema: one of an earlier run is still at work") as caught:
        job(Layout(Path("/")), Job("schema", deadline_s=5), b"")
    assert "docker logs 0123456789ab" in caught.value.remedy
    assert "run" not in log
