"""What is wrong with a container: from the engine's words, and from what its service answers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from tempo_infra.on_host import condition, database, role_health
from tempo_infra.on_host.condition import Container, asked, of, span, starts, trouble
from tempo_infra.on_host.health import SERVICES, Grpc, Postgres

RUNS = Container("history", "1", running=True, started_at="", image="i", since_s=7200.0)
DOWN = replace(RUNS, running=False, since_s=180.0)


@pytest.mark.parametrize(
    ("one", "wrong", "starting"),
    [
        (RUNS, "", False),
        (replace(RUNS, health="starting"), "", False),
        (replace(RUNS, restarts=9), "", False),  # and serves since
        (replace(RUNS, health="unhealthy"), "unhealthy, by its health check", False),
        (replace(RUNS, silent="timed out"), "runs and does not serve: timed out", False),
        (replace(RUNS, silent="NOT_SERVING", since_s=149.0), "", True),
        (
            replace(RUNS, silent="refused", since_s=5.0, restarts=4, exit_code=1),
            "ended 4 times by itself, exit code 1, and does not serve: refused",
            False,
        ),
        (replace(DOWN, state="exited", exit_code=137), "ended with exit code 137 since 3 min", False),
        (replace(DOWN, state="exited", said="no such folder"), "since 3 min: no such folder", False),
        (
            replace(DOWN, state="restarting", exit_code=1, restarts=7),
            "restarting, exit code 1: it has ended 7 times",
            False,
        ),
        (replace(DOWN, state="restarting", exit_code=2), "restarting, exit code 2: it has ended once", False),
        (replace(DOWN, state="created", said="OCI: no"), "made and never started: OCI: no", False),
        (replace(DOWN, state="paused"), "paused since 3 min", False),
        (replace(DOWN, state="dead"), "dead since 3 min", False),
    ],
)
def test_what_is_wrong(one: Container, wrong: str, starting: bool) -> None:
    assert trouble(one).endswith(wrong) if wrong else trouble(one) == ""
    assert starts(one) is starting


@pytest.mark.parametrize(
    ("state", "enough"),
    [("exited", True), ("created", True), ("restarting", False), ("paused", False), ("dead", False)],
)
def test_whether_starting_it_is_enough(state: str, enough: bool) -> None:
    assert condition.startable(replace(RUNS, state=state)) is enough


def inspected(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    labels = {
        "com.docker.compose.service": "history",
        "com.docker.compose.config-hash": "c0ffee",
        "com.docker.compose.image": "sha256:1",
        "com.docker.compose.version": "2.26.1",
    }
    return {
        "Id": "1",
        "State": {"StartedAt": "2026-01-01T00:00:00.5Z", "FinishedAt": "0001-01-01T00:00:00Z", **state},
        "Config": {"Image": "temporal", "Labels": labels},
        "HostConfig": {},
        **more,
    }


def ago(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(time.time() - seconds))


def test_docker_calls_a_container_running_that_waits_for_its_next_start() -> None:
    crashed = {
        "Running": True,
        "Restarting": True,
        "Status": "restarting",
        "ExitCode": 1,
        "FinishedAt": ago(40),
    }
    found = of(inspected(crashed, RestartCount=12))
    assert (found.running, found.state, found.restarts, found.exit_code) == (False, "restarting", 12, 1)
    assert 38 < found.since_s < 60
    assert (found.config, found.image_id, found.compose) == ("c0ffee", "sha256:1", "2.26.1")


def test_one_that_is_paused_does_not_run() -> None:
    found = of(inspected({"Running": True, "Paused": True, "Status": "paused", "StartedAt": ago(300)}))
    assert (found.running, found.state) == (False, "paused")
    assert 298 < found.since_s < 320


def test_one_that_was_never_started_has_no_age() -> None:
    found = of(inspected({"Running": False, "Status": "created", "Error": "no folder"}))
    assert (found.since_s, found.said) == (0.0, "no folder")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_a_span_is_said_in_its_largest_unit(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_services_that_run_are_asked_and_only_a_late_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped keeps its port open: only its answer shows it."""
    monkeypatch.setattr(condition, "AGAIN_S", 0.3)
    monkeypatch.setattr(condition, "PAUSE_S", 0.01)
    times = dict.fromkeys(("history", "matching", "postgresql"), 0)

    def role(question: Grpc, _: float) -> str:
        service = "history" if "History" in question.service else "matching"
        times[service] += 1
        return "timed out" if service == "history" else "SERVING" if times[service] > 2 else "NOT_SERVING"

    def postgres(*_: object, **__: object) -> str:
        times["postgresql"] += 1
        return "refused"

    monkeypatch.setattr(role_health, "ask", role)
    monkeypatch.setattr(database, "why_silent", postgres)
    found = asked(
        [
            RUNS,
            replace(RUNS, service="matching"),
            replace(RUNS, service="postgresql", since_s=3.0),
            replace(DOWN, service="worker"),
            replace(RUNS, service="own"),
        ],
        {
            "postgresql": Postgres("10.0.0.1", 3),
            **{name: Grpc("10.0.0.1", 1, SERVICES[name]) for name in ("history", "matching", "worker")},
        },
    )
    assert [one.silent for one in found] == ["timed out", "", "refused", "", ""]
    assert times["history"] > 3
    assert (times["matching"], times["postgresql"]) == (3, 1)


def test_without_a_question_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role_health, "ask", lambda *_: "refused")
    assert asked([RUNS], {}) == [RUNS]
