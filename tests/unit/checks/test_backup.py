from __future__ import annotations

from typing import Any

import pytest

from tempo_infra.checks import Outcome, find
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks.backups import told
from tests.unit.checks.hosts import FAILED, expected, having, healthy


def outcomes(identifier: str, found: Reading[Any]) -> list[Outcome]:
    [check] = find(identifier)
    facts = having(healthy(), "components", Reading({"postgresql": found}))
    return [one.outcome for one in check.evaluate(facts, expected())]


AWAY = {"number": 2, "wrong": "[HostConnectError] unable to connect", "first_segment": "", "last_segment": ""}


@pytest.mark.parametrize(
    ("identifier", "found", "wanted"),
    [
        ("backup.age", told(), [Outcome.PASS]),
        ("backup.age", told(hours=26.5), [Outcome.WARN]),
        ("backup.age", told(hours=51), [Outcome.FAIL]),
        ("backup.age", told(newest=[]), [Outcome.FAIL]),
        ("backup.age", told(repositories=[*told()["repositories"], AWAY]), [Outcome.PASS, Outcome.FAIL]),
        ("backup.archive", told(waiting=1, oldest_s=20), [Outcome.PASS]),
        ("backup.archive", told(waiting=9, oldest_s=160), [Outcome.WARN]),
        ("backup.archive", told(waiting=90, oldest_s=640), [Outcome.FAIL]),
        ("backup.archive", told(log={**told()["log"], "failing": True}), [Outcome.WARN]),
        ("backup.failed", told(), [Outcome.PASS]),
        ("backup.failed", told(damaged=[{"label": "20261130-145543F"}]), [Outcome.FAIL]),
        ("backup.failed", told(repositories=[AWAY]), [Outcome.FAIL]),
    ],
)
def test_each_is_judged(identifier: str, found: dict[str, Any], wanted: list[Outcome]) -> None:
    assert outcomes(identifier, Reading(found)) == wanted


@pytest.mark.parametrize("identifier", ["backup.age", "backup.archive", "backup.failed"])
def test_what_can_not_be_read_is_not_fine(identifier: str) -> None:
    assert outcomes(identifier, FAILED) == [Outcome.UNKNOWN]


@pytest.mark.parametrize("identifier", ["backup.age", "backup.archive", "backup.failed"])
def test_a_host_without_backups_is_left_out(identifier: str) -> None:
    [check] = find(identifier)
    [finding] = check.evaluate(having(healthy(), "components", Reading({})), expected())
    assert finding.outcome is Outcome.SKIP
