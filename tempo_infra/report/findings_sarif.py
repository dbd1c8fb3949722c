"""The check report as SARIF 2.1.0: one rule a check, one result a finding, hosts as logical locations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tempo_infra import __version__
from tempo_infra.checks import CHECKS
from tempo_infra.checks.finding import Finding, Outcome, Severity
from tempo_infra.deploy.responses import harmless
from tempo_infra.report.escaping import plain, unlinked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.checks import Check
    from tempo_infra.report.result import CheckRun, HostResult

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# SARIF 2.1.0 §3.27.9 and §3.27.10: a level other than "none" belongs to kind "fail" alone.
_KIND_AND_LEVEL = {
    Outcome.PASS: ("pass", "none"),
    Outcome.SKIP: ("notApplicable", "none"),
    Outcome.UNKNOWN: ("open", "none"),
    Outcome.WARN: ("fail", "warning"),
    Outcome.FAIL: ("fail", "error"),
}
HOST_RULE = "host.reachable"


def write(run: CheckRun) -> Iterable[str]:
    """Give one JSON document, ASCII only."""
    results = [result for host in run.hosts for result in _results(host)]
    rules = [*(_rule(one) for one in CHECKS), _host_rule()]
    driver = {"name": "tempo-infra", "version": __version__, "rules": rules}
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    yield json.dumps(document, indent=2) + "\n"


def _rule(one: Check) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": one.id,
        "shortDescription": {"text": one.title},
        "fullDescription": {"text": f"Passes when: {one.wants}"},
        "help": {"text": one.remedy},
        "defaultConfiguration": {"level": "warning" if one.severity is Severity.ADVICE else "error"},
        "properties": {"severity": one.severity.value, "phase": one.phase.value},
    }
    if one.source.startswith("https://"):
        rule["helpUri"] = one.source
    return rule


def _host_rule() -> dict[str, Any]:
    return {
        "id": HOST_RULE,
        "shortDescription": {"text": "the host can be asked"},
        "defaultConfiguration": {"level": "error"},
    }


def _results(host: HostResult) -> list[dict[str, Any]]:
    if host.error:
        return [_result(host, HOST_RULE, "", ("open", "none"), f"{host.error}. {host.remedy}".strip())]
    return [_of(host, finding) for finding in host.findings]


def _of(host: HostResult, finding: Finding) -> dict[str, Any]:
    wanted = f", wanted {finding.wanted}" if finding.wanted else ""
    parts = (f"{finding.title}: {finding.found}{wanted}", finding.note, finding.remedy)
    text = ". ".join(part for part in parts if part)
    made = _result(host, finding.id, finding.subject, _KIND_AND_LEVEL[finding.outcome], text)
    return {
        **made,
        "properties": {"outcome": finding.outcome.value, "evidence": harmless(dict(finding.evidence), str)},
    }


def _result(host: HostResult, rule: str, subject: str, kind: tuple[str, str], text: str) -> dict[str, Any]:
    place = {"name": plain(subject or host.name), "kind": "resource"}
    place["fullyQualifiedName"] = plain(f"{host.name}/{subject}" if subject else host.name)
    return {
        "ruleId": rule,
        "kind": kind[0],
        "level": kind[1],
        "message": {"text": unlinked(text)},
        "locations": [{"logicalLocations": [place]}],
        "partialFingerprints": {"finding/v1": plain(f"{host.name}/{rule}/{subject}")},
    }
