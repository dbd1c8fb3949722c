"""The report in every format: golden, readable by its own parser, and a host's words are never markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tempo_infra.checks import CHECKS, Finding, Outcome
from tempo_infra.checks.diagnosis import Diagnosed, Standing
from tempo_infra.checks.finding import Severity
from tempo_infra.cli.check_host import FormatName
from tempo_infra.errors import InputError
from tempo_infra.report.comparing import Change
from tempo_infra.report.escaping import markdown
from tempo_infra.report.formats import EXTENSIONS, WRITERS, ReportFormat, of_output
from tempo_infra.report.result import CheckRun, HostResult
from tests.unit.report.test_findings import run

if TYPE_CHECKING:
    from tests.conftest import Golden

HOSTILE = "<script>alert('&\"')</script> | `rm` [x](javascript:y) \x1b[31m\x00\n# HELP x\u202e\\"
VOID = {"meta", "br"}


def hostile() -> CheckRun:
    """Every text that may come from a host is an attack on some format."""
    findings = tuple(
        Finding(
            outcome=outcome, found=HOSTILE, wanted=HOSTILE, subject=HOSTILE, note=HOSTILE, remedy=HOSTILE,
            evidence={"text": HOSTILE}, id="disk.fsync", title="t", severity=Severity.MAJOR,
        )
        for outcome in Outcome
    )  # fmt: skip
    bad = HostResult(HOSTILE, HOSTILE, error=HOSTILE, remedy=HOSTILE)
    told = HostResult(HOSTILE, "a", HOSTILE, 1, findings, HOSTILE, system=HOSTILE)
    causes = tuple(Diagnosed(HOSTILE, HOSTILE, one, (HOSTILE,), HOSTILE) for one in Standing)
    changes = (Change(HOSTILE, "disk.fsync", HOSTILE, "pass", "fail", HOSTILE),)
    return CheckRun((told, bad), 1, HOSTILE, causes, changes)


def written(chosen: ReportFormat, what: CheckRun | None = None) -> str:
    return "".join(WRITERS[chosen](what or run()))


def test_every_format_is_as_stored(golden: Golden) -> None:
    names = {chosen: extension for extension, chosen in EXTENSIONS.items()}
    files = {f"report{names[chosen]}": written(chosen).encode() for chosen in WRITERS}
    golden("check-host-formats", files)


def test_the_help_names_the_formats_that_there_are() -> None:
    assert [one.value for one in FormatName] == [one.value for one in ReportFormat]
    assert {ReportFormat.TEXT, *WRITERS} == set(ReportFormat)


@pytest.mark.parametrize("what", [run(), hostile()], ids=["usual", "hostile"])
def test_diagnosis_and_changes_are_told(what: CheckRun) -> None:
    for chosen in (ReportFormat.HTML, ReportFormat.MARKDOWN, ReportFormat.JSON):
        text = written(chosen, what)
        assert all((standing in text) is bool(what.symptom) for standing in Standing)
        assert ("pass → fail" in text or '"before": "pass"' in text) is bool(what.changes)


@pytest.mark.parametrize("what", [run(), hostile()], ids=["usual", "hostile"])
def test_junit_counts_what_it_holds(what: CheckRun) -> None:
    root = ET.fromstring(written(ReportFormat.JUNIT, what))  # noqa: S314 - our own text
    assert root.tag == "testsuites"
    for suite in root:
        cases = list(suite)
        assert int(suite.attrib["tests"]) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == sum(case.find(tag) is not None for case in cases)
    wanted = what.totals
    assert int(root.attrib["failures"]) == wanted[Outcome.FAIL]
    assert int(root.attrib["errors"]) == wanted[Outcome.UNKNOWN]


@pytest.mark.parametrize("what", [run(), hostile()], ids=["usual", "hostile"])
def test_sarif_has_the_shape_that_the_standard_asks_for(what: CheckRun) -> None:
    document = json.loads(written(ReportFormat.SARIF, what))
    assert document["version"] == "2.1.0"
    [part] = document["runs"]
    rules = {rule["id"] for rule in part["tool"]["driver"]["rules"]}
    assert {one.id for one in CHECKS} < rules
    for result in part["results"]:
        assert result["ruleId"] in rules
        assert result["message"]["text"]
        assert (result["kind"] == "fail") == (result["level"] != "none")
    failed = [one for one in part["results"] if one["level"] == "error"]
    assert len(failed) == what.totals[Outcome.FAIL]


class Elements(HTMLParser):
    """Which elements and attributes a page has; fails on one that isn't closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("what", [run(), hostile()], ids=["usual", "hostile"])
def test_html_is_closed_fetches_nothing_and_runs_nothing(what: CheckRun) -> None:
    page, text = Elements(), written(ReportFormat.HTML, what)
    page.feed(text)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "a"}
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {"src", "href"}
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert all(one.name.split()[0] in " ".join(page.texts) for one in what.hosts)


def test_html_draws_what_was_measured_and_nothing_else() -> None:
    assert written(ReportFormat.HTML).count("<svg") == 6  # bursts, distribution and steal of two hosts
    assert "<svg" not in written(ReportFormat.HTML, hostile())


@pytest.mark.parametrize(
    "evidence",
    [
        {"distribution": [{"up_to_us": 1.0, "n": 1}, {"up_to_us": 2.0, "n": -1}]},
        {"distribution": [{"up_to_us": 1e300, "n": 2**64}]},
        {"distribution": [{}], "bursts": [{"p50_us": 1e-320}]},
        {"bursts": [{"p50_us": 5e-324, "p99_us": -1.0, "max_us": 2.0**64}]},
        {"bursts": 7, "distribution": None},
    ],
    ids=["sum", "large", "lacking", "small", "kind"],
)
def test_numbers_that_nothing_can_be_hide_no_other_host(evidence: dict[str, object]) -> None:
    bad = Finding(outcome=Outcome.FAIL, id="disk.fsync", evidence=evidence)
    hosts = (HostResult("history-1", "", findings=(bad,)), *run().hosts)
    text = written(ReportFormat.HTML, CheckRun(hosts, 1))
    assert all(f"<h2>{one.name}" in text for one in hosts)
    assert text.endswith("</body></html>\n")


def test_html_shows_round_trips_between_hosts_as_a_matrix() -> None:
    finding = Finding(outcome=Outcome.PASS, id="net.rtt", evidence={"peer": "db-1", "p50_ms": 0.42})
    hosts = (HostResult("history-1", "", findings=(finding,)), HostResult("db-1", ""))
    text = written(ReportFormat.HTML, CheckRun(hosts, 0))
    assert "<th scope=row>history-1</th><td>·</td><td>0.42</td>" in text


def test_a_hosts_words_are_no_markdown() -> None:
    text = written(ReportFormat.MARKDOWN, hostile())
    outside_code = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<script" not in outside_code
    assert "](javascript" not in outside_code
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    columns = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert columns == {6}


LIVE = (
    "@team/security look", "mail bob@example.org", "see https://evil.example/x", "at www.evil.example",
    "fixes #12", "GH-7", "org/repo#3", "in 3e6ffa3", "mailto:x", "`@team`", "<b>@team</b>", "a|@b",
)  # fmt: skip


@pytest.mark.parametrize("words", LIVE)
def test_nothing_that_a_host_says_is_live_in_a_pull_request(words: str) -> None:
    """A forge reads mentions, links, issues, commits out of plain words, escaped or not; none out of code."""
    finding = replace(
        hostile().hosts[0].findings[0], found=words, wanted=words, note=words, subject="", remedy=words
    )
    told = HostResult(words, words, words, 1, (finding,), words, system=words)
    page = written(ReportFormat.MARKDOWN, CheckRun((told, HostResult("h", "", error=words, remedy=words)), 1))
    outside_code = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", page)
    for live in ("@", "https:", "www.", "#12", "#3", "GH-7", "3e6ffa3", "mailto:", "<b>"):
        assert live not in outside_code, (live, outside_code)
    assert page.count(words.replace("|", "\\|")) >= 8


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("- a list", "\\- a list"),
        ("1. a list", "1\\. a list"),
        ("=====", "\\====="),
        ("> a quote", "&gt; a quote"),
        ("$x$ and *y*", "\\$x\\$ and \\*y\\*"),
        ("4.2 ms - fine", "4.2 ms - fine"),
    ],
)
def test_a_hosts_words_are_one_paragraph(words: str, shown: str) -> None:
    assert markdown(words) == shown


def test_a_hosts_words_are_no_link_in_sarif() -> None:
    document = json.loads(written(ReportFormat.SARIF, hostile()))
    texts = [result["message"]["text"] for part in document["runs"] for result in part["results"]]
    assert texts
    assert not [text for text in texts if re.search(r"\]\(", text)]


@pytest.mark.parametrize("what", [run(), hostile()], ids=["usual", "hostile"])
def test_prometheus_lines_are_comments_or_samples(what: CheckRun) -> None:
    label = r'\w+="(?:[^"\\]|\\\\|\\")*"'
    sample = re.compile(rf"[a-z_0-9]+(\{{{label}(,{label})*\}})? -?[0-9.e+-]+")
    families = set()
    for line in written(ReportFormat.PROMETHEUS, what).splitlines():
        if line.startswith("# TYPE "):
            families.add(line.split()[2])
        elif not line.startswith("# HELP "):
            assert sample.fullmatch(line), line
            assert re.split(r"[{ ]", line)[0] in families


def test_prometheus_numbers_the_outcomes() -> None:
    findings = tuple(Finding(outcome=one, id="a.b") for one in Outcome)
    text = written(ReportFormat.PROMETHEUS, CheckRun((HostResult("h", "", findings=findings),), 0))
    found = re.findall(r"^tempo_infra_check_status\{.*\} (\d)$", text, re.MULTILINE)
    assert found == ["0", "3", "1", "2"]


@pytest.mark.parametrize("chosen", WRITERS)
def test_no_control_character_of_a_host_is_passed_on(chosen: ReportFormat) -> None:
    text = written(chosen, hostile())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert "[31m" not in text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("report.html", (ReportFormat.HTML, "report.html")),
        ("out/REPORT.XML", (ReportFormat.JUNIT, "out/REPORT.XML")),
        ("junit:out.txt", (ReportFormat.JUNIT, "out.txt")),
        ("sarif:x", (ReportFormat.SARIF, "x")),
        ("a:b.md", (ReportFormat.MARKDOWN, "a:b.md")),
    ],
)
def test_an_output_says_its_format(text: str, found: tuple[ReportFormat, str]) -> None:
    assert of_output(text) == (found[0], Path(found[1]))


@pytest.mark.parametrize("text", ["report", "report.doc", "html:", "xls:report"])
def test_an_output_without_a_format_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="doesn't say the format"):
        of_output(text)


def test_totals_of_a_host_that_did_not_answer() -> None:
    lost = HostResult("h", "", error="unreachable")
    assert lost.totals[Outcome.UNKNOWN] == 1
    assert replace(lost, error="").totals[Outcome.UNKNOWN] == 0


def evidence_of(chosen: Any, identifier: str) -> Any:
    return next(finding.evidence for finding in chosen.findings if finding.id == identifier)


def test_json_holds_the_evidence_that_the_plots_are_drawn_from() -> None:
    assert len(evidence_of(run().hosts[0], "disk.fsync")["bursts"]) == 5
