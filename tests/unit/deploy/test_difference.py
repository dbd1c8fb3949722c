"""A host's texts are compared within bounds: what takes difflib minutes is said to be too long."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tempo_infra.deploy.difference import MOST_CHARACTERS, unified
from tempo_infra.deploy.plan import _diff
from tempo_infra.on_host.state import Edited
from tempo_infra.report.drift import MOST_FILES, drift_lines, drift_of
from tests.unit.deploy.test_plan import FRESH


def comb(count: int, other: str) -> str:
    """Lines of which every second one is in both, which difflib finds one by one."""
    return "".join(f"{n % 50}\n{other}{n}\n" for n in range(count // 2))


TOO_LONG = "(3000 and 3000 lines: too long to compare line by line)"


def test_lines_are_compared_and_the_end_of_the_last_one_is_seen() -> None:
    head = ["--- a", "+++ b"]
    assert list(unified("k = 1\nl = 2\n", "k = 2\nl = 2\n", "a", "b")) == [
        *head,
        *("@@ -1,2 +1,2 @@", "-k = 1", "+k = 2", " l = 2"),
    ]
    assert list(unified("k", "k\n", "a", "b")) == [
        *head,
        *("@@ -1 +1 @@", "-k", "\\ No newline at end of file", "+k"),
    ]
    assert list(unified("k\n", "k\n", "a", "b")) == []
    assert len(list(unified("", "k\n" * 5000, "a", "b"))) == 5003


@pytest.mark.parametrize(
    ("old", "new"), [(comb(3000, "u"), comb(3000, "v")), ("x" * MOST_CHARACTERS + "\n", "y\n")]
)
def test_what_is_too_long_is_said_to_be(old: str, new: str) -> None:
    *head, said = unified(old, new, "a", "b")
    assert head == ["--- a", "+++ b"]
    assert said.endswith("lines: too long to compare line by line)")


def test_what_is_too_long_costs_less_than_what_is_not() -> None:
    def seconds(count: int) -> float:
        began = time.process_time()
        list(unified(comb(count, "u"), comb(count, "v"), "a", "b"))
        return time.process_time() - began

    assert seconds(4000) < seconds(1400)


def test_a_hosts_drift_and_its_plan_are_bounded() -> None:
    one = Edited(comb(3000, "u"), comb(3000, "v"))
    edited = {f"etc/{n}": one for n in range(MOST_FILES + 5)}
    lines = list(drift_lines("db-1", drift_of(replace(FRESH, edited=edited))))
    assert lines.count(f"      {TOO_LONG}") == MOST_FILES
    assert lines[-1] == "  ~ 5 more files"
    assert _diff("x", one.shipped, one.found) == f"--- old/x\n+++ new/x\n{TOO_LONG}\n"


def test_a_line_that_is_in_both_texts_commands_no_ci_runner() -> None:
    lines = list(unified("::add-mask::e\na\n", "::add-mask::e\n##[group]\n", "a", "b"))
    assert lines[-3:] == [" : :add-mask::e", "-a", "+# #[group]"]
