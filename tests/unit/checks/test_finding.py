"""Outcome and text come from one call, and numbers read as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.checks.finding import Outcome, at_least, at_most, number, one_of, together

FINITE = st.floats(min_value=0, max_value=1e12)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "ms", "0 ms"),
        (0.13149, "ms", "0.131 ms"),
        (2.4, "%", "2.4 %"),
        (999.6, "ms", "1000 ms"),
        (65_535, "", "65535"),
        (1_048_576.0, "", "1048576"),
        (4 * 1024**3, "bytes", "4 GiB"),
        (3.85 * 1024**3, "bytes", "3.85 GiB"),
    ],
)
def test_numbers(value: float, unit: str, text: str) -> None:
    assert number(value, unit) == text


@given(FINITE, FINITE, FINITE)
def test_the_three_ranges_of_at_most(value: float, first: float, second: float) -> None:
    limit, fail = sorted((first, second))
    outcome = at_most(value, limit, fail=fail).outcome
    assert (outcome is Outcome.PASS) == (value <= limit)
    assert (outcome is Outcome.FAIL) == (value > fail)


@given(FINITE, FINITE, FINITE)
def test_at_least_is_the_mirror_of_at_most(value: float, first: float, second: float) -> None:
    fail, limit = sorted((first, second))
    assert at_least(value, limit, fail=fail).outcome is at_most(-value, -limit, fail=-fail).outcome


def test_without_a_limit_for_failure_nothing_fails() -> None:
    assert at_most(1e9, 1).outcome is Outcome.WARN
    assert at_least(0, 1).outcome is Outcome.WARN
    assert one_of("x", ("a",)).outcome is Outcome.WARN


def test_together_takes_the_worst_and_all_the_words() -> None:
    both = together(at_most(2, 1, label="p50"), at_most(9, 1, fail=3, label="p99"))
    assert (both.outcome, both.found, both.wanted) == (Outcome.FAIL, "p50 2  p99 9", "≤ 1")
