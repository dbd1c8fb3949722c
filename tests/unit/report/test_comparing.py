"""What changed between two reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.checks import Finding, Outcome
from tempo_infra.errors import InputError
from tempo_infra.report.comparing import as_document, compare, read_report
from tempo_infra.report.result import CheckRun, HostResult
from tests.unit.report.test_findings import run


def one(outcome: Outcome, subject: str = "", found: str = "x") -> CheckRun:
    finding = Finding(outcome=outcome, found=found, subject=subject, id="a.b")
    return CheckRun((HostResult("h", "", findings=(finding,)),), 0)


def lines(before: CheckRun, after: CheckRun) -> list[str]:
    return [change.line for change in compare(as_document(before), as_document(after))]


def test_the_same_run_has_no_changes_whatever_its_figures() -> None:
    assert lines(run(), run()) == []
    assert lines(one(Outcome.PASS, found="1 ms"), one(Outcome.PASS, found="2 ms")) == []


def test_an_outcome_that_changed_is_one_line() -> None:
    assert lines(one(Outcome.PASS), one(Outcome.FAIL, found="9 ms")) == ["h a.b: pass → fail   9 ms"]
    [change] = compare(as_document(one(Outcome.FAIL)), as_document(one(Outcome.PASS)))
    assert not change.worse


def test_subjects_come_and_go() -> None:
    assert lines(one(Outcome.PASS, "ui"), one(Outcome.FAIL, "history")) == [
        "h a.b history: - → fail   x",
        "h a.b ui: pass → -   x",
    ]


def test_a_host_that_stops_answering_is_a_change_and_worse_ones_come_first() -> None:
    lost = replace(one(Outcome.PASS).hosts[0], findings=(), error="unreachable")
    found = compare(as_document(one(Outcome.PASS)), as_document(CheckRun((lost,), 3)))
    assert found[0].line == "h host: pass → unknown   unreachable"
    assert found[0].worse


def test_a_report_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(as_document(run())))
    assert compare(read_report(path), as_document(run())) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no report of check-host"),
        ("[]", "no report of check-host"),
        ("[" * 100_000, "no report of check-host"),
        ('{"hosts": [{"name": 1}]}', "no report of check-host"),
        ('{"schema": 9, "hosts": []}', "schema 9"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_report(path)
    with pytest.raises(InputError, match="no such file"):
        read_report(tmp_path / "none.json")
