"""Every fault at every step: the host is the old one or the new one, and the next run works."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.lab.reliability import case as runner
from tests.lab.reliability import results
from tests.lab.reliability.case import Case
from tests.lab.reliability.catalogue import CASES
from tests.lab.reliability.conftest import BEDS, Beds


def _planned() -> Sequence[object]:
    """Light cases in turn on all hosts, the others on the last."""
    found = []
    for number, case in enumerate(CASES):
        host = BEDS[number % len(BEDS)] if case.bed == "light" else BEDS[-1]
        marks = [] if case.fast else [pytest.mark.faults]
        found.append(pytest.param(case, host, id=case.id, marks=marks))
    return found


@pytest.mark.parametrize(("case", "host"), _planned())
def test_a_host_is_the_old_one_or_the_new_one(case: Case, host: str, beds: Beds) -> None:
    bed = beds.get(host, case.bed)
    beds.doubtful.add(host)
    outcome = runner.run(case, bed)
    beds.doubtful.discard(host)
    results.record(outcome)


def test_the_cases_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len({(case.bed, case.fault, case.step) for case in CASES}) == len(CASES)
    assert len(CASES) >= 150
