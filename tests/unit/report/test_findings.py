"""The check report: golden at 80 columns, nothing cut on narrow ones, plain where there is no terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from rich.console import Console

from tempo_infra.checks import Finding, Outcome, judge, verdict
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.probes.cpu import Steal
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.report import findings_json
from tempo_infra.report.findings import Style, print_run
from tempo_infra.report.result import CheckRun, HostResult
from tests.unit.checks.hosts import container, expected, having, healthy, reached, with_database

if TYPE_CHECKING:
    from tempo_infra.on_host.facts import Facts
    from tests.conftest import Golden

SCHEMA = Path(__file__).parents[3] / "docs/reference/check-report.schema.json"


def result(name: str, facts: Facts, role: Role, database: tuple[Finding, ...] = ()) -> HostResult:
    wanted = replace(expected(role), host=name)
    findings = judge(facts, wanted)
    return HostResult(
        name=name,
        address="203.0.113.12",
        class_name="NVMe-Series",
        seconds=11.8,
        findings=findings,
        verdict=verdict(findings, wanted, database),
        system="Debian GNU/Linux 13 (trixie), Linux 6.12.57, taken 2026-11-20T10:00:00Z",
    )


def run() -> CheckRun:
    """A good database host, a history host with a failure of each kind, and one that doesn't answer."""
    serving = having(
        with_database(), "network.reached", Reading((reached("history-1", 0.5, 7234, "history"),))
    )
    database = result("db-1", serving, Role.POSTGRESQL)
    facts = having(healthy(), "docker.containers", Reading((container("history", soft=1024, hard=1024),)))
    facts = having(facts, "cpu.steal_loaded", Reading(Steal(3.1, 99, 2.8, (1.0, 2.0, 6.1, 4.0, 3.0, 2.5))))
    facts = having(facts, "clock.discipline", Reading(None, "adjtimex: operation not permitted"))
    history = result("history-1", facts, Role.HISTORY, database.findings)
    lost = HostResult(
        "front-1",
        "203.0.113.11",
        "C-Series",
        error="unreachable: connect after 10 s",
        remedy="is it switched on?",
    )
    return CheckRun((database, history, lost), 1)


def printed(style: Style, *, width: int = 80, colour: bool = False, of: CheckRun | None = None) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    print_run(console, of or run(), style)
    return out.getvalue()


def test_the_report_is_as_stored(golden: Golden) -> None:
    files = {
        "short.txt": printed(Style()),
        "verbose.txt": printed(Style(verbose=True)),
        "quiet.txt": printed(Style(quiet=True)),
        "ascii.txt": printed(Style(ascii=True)),
        "report.json": "".join(findings_json.write(run())),
    }
    golden("check-host", {name: text.encode() for name, text in files.items()})


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_narrow_terminals_wrap_and_nothing_is_cut(width: int) -> None:
    text = printed(Style(verbose=True), width=width)
    assert max(len(line) for line in text.splitlines()[:-1]) <= width
    words = set(text.split())
    for finding in (finding for host in run().hosts for finding in host.findings):
        assert finding.id in text
        if width >= 60:
            assert set(finding.remedy.split()) <= words, finding.id


def test_quiet_says_what_failed_and_nothing_where_nothing_did() -> None:
    warned = Finding(id="disk.space", outcome=Outcome.WARN, found="20 GB", wanted="≥ 40 GB")
    passed = Finding(id="disk.kind", outcome=Outcome.PASS, found="ext4")
    host = HostResult("db-1", "203.0.113.13", "NVMe-Series", 1.0, (passed, warned), verdict="fit")
    quiet = Style(quiet=True)
    assert printed(quiet, of=CheckRun((host,), 0)) == ""
    assert printed(quiet, of=CheckRun((host,), 0, changes=())) == ""
    strict = printed(quiet, of=CheckRun((host,), 1))
    assert "disk.space" in strict
    assert "disk.kind" not in strict
    assert "disk.space" not in printed(quiet, of=CheckRun((replace(host, error="no answer"),), 3))


def test_a_hosts_labels_stand_beside_its_name() -> None:
    host = HostResult("db-1", "203.0.113.13", "High-RAM", error="no answer", labels="owner=kari, rack=b2")
    labelled = CheckRun((host,), 3)
    assert printed(Style(), of=labelled).startswith("db-1 · High-RAM · 203.0.113.13 · owner=kari, rack=b2\n")
    body = json.loads("".join(findings_json.write(labelled)))
    jsonschema.validate(body, json.loads(SCHEMA.read_text()))
    assert body["hosts"][0]["labels"] == "owner=kari, rack=b2"


def test_lines_end_where_their_words_end() -> None:
    assert [line for line in printed(Style(verbose=True)).splitlines() if line != line.rstrip()] == []


def test_without_a_terminal_there_is_no_escape() -> None:
    assert "\x1b" not in printed(Style())
    assert "\x1b" in printed(Style(), colour=True)


def test_ascii_is_ascii_and_says_the_same() -> None:
    text = printed(Style(verbose=True, ascii=True))
    assert text.isascii()
    assert "p50 0.13 ms  p99 2.4 ms" in text
    assert "<= 1 ms / <= 10 ms" in text


def test_a_hosts_words_are_no_markup() -> None:
    odd = Finding(outcome=Outcome.FAIL, found="[red]x[/red] :smile:", id="a.b", remedy="[link]")
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False, markup=False, emoji=False)
    print_run(console, CheckRun((HostResult("[b]h", "", findings=(odd,)),), 1), Style())
    assert "[red]x[/red] :smile:" in out.getvalue()
    assert "[b]h" in out.getvalue()


def test_the_last_line_is_the_summary() -> None:
    last = printed(Style()).splitlines()[-1]
    judged = sum(len(host.findings) for host in run().hosts)
    passed = judged - 1 - 1 - 1 - 21  # the other unknown is the host that doesn't answer
    assert last == f"1 failed · 1 warning · 2 unknown · 21 skipped · {passed} passed   exit 1"


def test_the_json_is_as_its_schema_says() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads("".join(findings_json.write(run())))
    jsonschema.validate(document, schema)
    document["hosts"][0]["findings"][0]["outcome"] = "fine"
    with pytest.raises(jsonschema.ValidationError, match="'fine' is not one of"):
        jsonschema.validate(document, schema)


def test_the_schema_knows_every_outcome() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert schema["$defs"]["outcome"]["enum"] == [outcome.value for outcome in Outcome]
    assert schema["properties"]["schema"]["const"] == findings_json.SCHEMA
