"""Backups: what check-host makes of what repositories have, and of the log that waits."""

from __future__ import annotations

from typing import Any

import pytest

from tempo_infra.checks import Outcome, find
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks.backups import AWAY, told
from tests.unit.checks.hosts import ABSENT, FAILED, expected, having, healthy

PASS, WARN, FAIL, UNKNOWN, SKIP = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN, Outcome.SKIP
IDENTIFIERS = ("backup.age", "backup.archive", "backup.failed")


def read(found: dict[str, Any]) -> Reading[Any]:
    return Reading({"postgresql": Reading(found)})


ROWS: list[tuple[str, str, Reading[Any], Outcome]] = [
    ("backup.age", "components", read(told()), PASS),
    ("backup.age", "components", read(told(hours=26.5)), WARN),
    ("backup.age", "components", read(told(hours=51)), FAIL),
    ("backup.age", "components", read(told(newest=[])), FAIL),
    ("backup.archive", "components", read(told(waiting=1, oldest_s=20)), PASS),
    ("backup.archive", "components", read(told(waiting=9, oldest_s=160)), WARN),
    ("backup.archive", "components", read(told(waiting=90, oldest_s=640)), FAIL),
    ("backup.archive", "components", read(told(log={**told()["log"], "failing": True})), WARN),
    ("backup.failed", "components", read(told()), PASS),
    ("backup.failed", "components", read(told(damaged=[{"label": "20261130-145543F"}])), FAIL),
    ("backup.failed", "components", read(told(repositories=[AWAY])), FAIL),
    *((one, "components", FAILED, UNKNOWN) for one in IDENTIFIERS),
    *((one, "components", ABSENT, SKIP) for one in IDENTIFIERS),
]


def outcomes(identifier: str, found: Reading[Any]) -> list[Outcome]:
    [check] = find(identifier)
    return [one.outcome for one in check.evaluate(having(healthy(), "components", found), expected())]


def test_each_repository_needs_a_backup_of_its_own() -> None:
    both = told(repositories=[*told()["repositories"], AWAY])
    assert outcomes("backup.age", read(both)) == [PASS, FAIL]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_a_database_that_can_not_be_asked_is_not_fine(identifier: str) -> None:
    assert outcomes(identifier, Reading({"postgresql": FAILED})) == [UNKNOWN]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_a_host_without_backups_is_left_out(identifier: str) -> None:
    assert outcomes(identifier, Reading({})) == [SKIP]


@pytest.mark.parametrize(("identifier", "path", "reading", "outcome"), ROWS)
def test_each_is_judged(identifier: str, path: str, reading: Reading[Any], outcome: Outcome) -> None:
    [check] = find(identifier)
    [finding] = check.evaluate(having(healthy(), path, reading), expected())
    assert finding.outcome is outcome, finding
    assert finding.found
