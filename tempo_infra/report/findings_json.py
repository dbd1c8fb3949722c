"""The check report as JSON; its schema is published as docs/reference/check-report.schema.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tempo_infra import __version__
from tempo_infra.deploy.responses import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.checks.finding import Finding
    from tempo_infra.report.result import CheckRun, HostResult

SCHEMA = 1  # grows when a reader of the version before would stumble


def write(run: CheckRun) -> Iterable[str]:
    """Give the report as one JSON document, indented, ASCII only."""
    yield json.dumps(harmless(document(run), str, whole=True), indent=2) + "\n"


def document(run: CheckRun) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "tool": {"name": "tempo-infra", "version": __version__},
        "hosts": [_host(host) for host in run.hosts],
        "summary": {outcome.value: number for outcome, number in run.totals.items()},
        "exit_code": run.exit_code,
        **_more(run),
    }


def _more(run: CheckRun) -> dict[str, Any]:
    """Give what only some runs have."""
    found: dict[str, Any] = {}
    if run.symptom:
        found["diagnosis"] = {"symptom": run.symptom, "causes": [asdict(one) for one in run.diagnosis]}
    if run.changes is not None:
        found["changes"] = [asdict(one) for one in run.changes]
    return found


def _host(host: HostResult) -> dict[str, Any]:
    return {
        "name": host.name,
        "address": host.address,
        "class": host.class_name,
        **({"labels": host.labels} if host.labels else {}),
        "system": host.system,
        "seconds": host.seconds,
        "verdict": host.verdict,
        "error": host.error,
        "remedy": host.remedy,
        "findings": [_finding(finding) for finding in host.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "subject": finding.subject,
        "title": finding.title,
        "severity": finding.severity.value,
        "phase": finding.phase,
        "outcome": finding.outcome.value,
        "found": finding.found,
        "wanted": finding.wanted,
        "note": finding.note,
        "evidence": dict(finding.evidence),
        "remedy": finding.remedy,
        "source": finding.source,
        "seconds": finding.seconds,
    }
