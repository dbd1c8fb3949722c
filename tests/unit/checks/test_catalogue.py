"""The catalogue, the decorator, and the selection."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tempo_infra import checks
from tempo_infra.checks import CHECKS, Check, Expected, Finding, Outcome, Phase, Severity, judge
from tempo_infra.checks.check import check
from tempo_infra.errors import InputError
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.report import checks_page
from tests.unit.checks.hosts import FAILED, expected, having, healthy

if TYPE_CHECKING:
    from tempo_infra.on_host.facts import Facts

ROOT = Path(__file__).parents[3]


def test_every_check_is_in_the_catalogue_once() -> None:
    modules = [import_module(f"tempo_infra.checks.{m.name}") for m in pkgutil.iter_modules(checks.__path__)]
    written = [one.id for m in modules for one in vars(m).values() if isinstance(one, Check)]
    assert sorted(written) == sorted(one.id for one in CHECKS)
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
def test_a_check_says_what_it_wants_and_what_to_do(one: Check) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", one.id)
    assert one.title
    assert not one.title.endswith(".")
    assert one.wants
    assert one.remedy
    assert one.source


def test_the_reference_page_is_generated() -> None:
    """`make docs` writes it: python -m tempo_infra.report.checks_page > docs/reference/checks.md."""
    assert (ROOT / "docs/reference/checks.md").read_text("utf-8") == checks_page.page()


def _made(severity: Severity, outcome: Outcome) -> Check:
    def function(facts: Facts, expected: Expected) -> Finding:
        return Finding(outcome=outcome, found="x")

    made = check("a.b", "t", severity=severity, wants="w", remedy="-i {inventory} {host}", source="s")
    return made(function)


def test_advice_never_fails() -> None:
    [advice] = _made(Severity.ADVICE, Outcome.FAIL).evaluate(healthy(), expected())
    [major] = _made(Severity.MAJOR, Outcome.FAIL).evaluate(healthy(), expected())
    assert (advice.outcome, major.outcome) == (Outcome.WARN, Outcome.FAIL)


def test_a_remedy_names_this_host_and_inventory() -> None:
    [known] = _made(Severity.MAJOR, Outcome.FAIL).evaluate(healthy(), expected())
    bare = Expected.for_class(built_in().classes["C-Series"], host="203.0.113.9")
    [unknown] = _made(Severity.MAJOR, Outcome.FAIL).evaluate(healthy(), bare)
    [fine] = _made(Severity.MAJOR, Outcome.PASS).evaluate(healthy(), expected())
    assert known.remedy == "-i oslo.yaml history-1"
    assert unknown.remedy == "-i inventory.yaml HOST"
    assert fine.remedy == ""


def test_a_check_that_crashes_is_unknown_and_says_why() -> None:
    def broken(facts: Facts, expected: Expected) -> Finding:
        raise ZeroDivisionError("division by zero")

    made = check("a.b", "t", severity=Severity.MAJOR, wants="w", remedy="r", source="s")(broken)
    [finding] = made.evaluate(healthy(), expected())
    assert finding.outcome is Outcome.UNKNOWN
    assert "ZeroDivisionError: division by zero" in finding.note


def test_only_takes_ids_and_groups() -> None:
    found = judge(healthy(), expected(), only=["disk", "cpu.steal"])
    assert [one.id for one in found] == [
        "disk.kind",
        "disk.fsync",
        "disk.flush",
        "disk.space",
        "disk.size",
        "disk.growth",
        "cpu.steal",
    ]


def test_skip_is_shown_as_skipped() -> None:
    facts = having(healthy(), "clock.discipline", FAILED)
    found = {one.id: one for one in judge(facts, expected(), skip=["clock.sync"])}
    assert (found["clock.sync"].outcome, found["clock.sync"].note) == (Outcome.SKIP, "--skip")


@pytest.mark.parametrize(("reading", "was"), [(FAILED, "unknown"), (Reading(128), "fail")])
def test_ignore_lowers_to_a_warning_and_says_so(reading: Reading[int], was: str) -> None:
    facts = having(healthy(), "kernel.somaxconn", reading)
    found = {one.id: one for one in judge(facts, expected(), ignore=["kernel.somaxconn"])}
    finding = found["kernel.somaxconn"]
    assert finding.outcome is Outcome.WARN
    assert f"{was}, lowered by --ignore" in finding.note


def test_ignore_leaves_a_pass_alone() -> None:
    found = judge(healthy(), expected(), ignore=["kernel.somaxconn"], only=["kernel.somaxconn"])
    assert [one.outcome for one in found] == [Outcome.PASS]


def test_an_unknown_id_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        judge(healthy(), expected(), skip=["disk.fsnc"])
    assert caught.value.what == "no check 'disk.fsnc'"
    assert caught.value.remedy.startswith("did you mean 'disk.fsync'?")


def test_a_fresh_host_is_not_asked_for_containers() -> None:
    before = {one.id for one in judge(healthy(), expected(), phase=Phase.BEFORE)}
    after = {one.id for one in judge(healthy(), expected(), phase=Phase.AFTER)}
    assert "nofile.container" not in before
    assert "nofile.container" in after
