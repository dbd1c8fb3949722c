"""Settings of tables: somebody else's lock in the way is no reason to put a database back."""

from __future__ import annotations

import itertools

import pytest

from tempo_infra.on_host import database, psql
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change

LINES = b"alter table a set (fillfactor = 70)\nalter table b set (fillfactor = 50)\n"
PATIENT = change.Sql("temporal", spares_locks=True, payload=LINES)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that were run; `locked` of the module says how often b fails."""
    done: list[str] = []
    monkeypatch.setattr(psql, "database_container", lambda: "c0ffee")
    monkeypatch.setattr("time.sleep", lambda _: None)
    ticks = itertools.count(step=10)
    monkeypatch.setattr("time.monotonic", lambda: float(next(ticks)))
    return done


def fails(monkeypatch: pytest.MonkeyPatch, ran: list[str], times: int, words: str) -> None:
    left = iter(range(times))

    def change(_: str, statements: str, **__: object) -> None:
        ran.append(statements.split()[2])
        if "table b" in statements and next(left, None) is not None:
            raise StepError(f"SQL in temporal: {words}")

    monkeypatch.setattr(psql, "change", change)


LOCK = "ERROR:  canceling statement due to lock timeout"


def test_what_was_locked_is_tried_again_alone(monkeypatch: pytest.MonkeyPatch, ran: list[str]) -> None:
    said: list[str] = []
    fails(monkeypatch, ran, 2, LOCK)
    assert database.sql(PATIENT, said.append) == {"left": []}
    assert (ran, said) == (["a", "b", "b", "b"], [])


def test_what_stays_locked_is_said_and_left(monkeypatch: pytest.MonkeyPatch, ran: list[str]) -> None:
    said: list[str] = []
    fails(monkeypatch, ran, 10**6, LOCK)
    left = database.sql(PATIENT, said.append)["left"]
    assert left == ["alter table b set (fillfactor = 50)"]
    assert said == ["1 settings of tables in temporal wait for somebody else's lock: the next run sets them"]


def test_any_other_error_is_one(monkeypatch: pytest.MonkeyPatch, ran: list[str]) -> None:
    fails(monkeypatch, ran, 1, "ERROR:  permission denied")
    with pytest.raises(StepError, match="permission denied"):
        database.sql(PATIENT)
