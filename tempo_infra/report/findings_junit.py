"""The check report as JUnit XML: a suite a host, a case a finding; unknown is an error, not a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.finding import Finding, Outcome
from tempo_infra.report.escaping import markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tempo_infra.report.result import CheckRun, HostResult

_ELEMENTS = {Outcome.FAIL: "failure", Outcome.UNKNOWN: "error"}


def write(run: CheckRun) -> Iterable[str]:
    """Give one XML document; CI servers differ in what they read beyond the elements used here."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    cases = sum(run.totals.values())
    yield f'<testsuites name="tempo-infra check-host" tests="{cases}"{_counts(run.totals)}>\n'
    for host in run.hosts:
        yield from _suite(host)
    yield "</testsuites>\n"


def _counts(totals: dict[Outcome, int]) -> str:
    return f' failures="{totals[Outcome.FAIL]}" errors="{totals[Outcome.UNKNOWN]}"'


def _suite(host: HostResult) -> Iterator[str]:
    totals = host.totals
    yield (
        f'  <testsuite name="{markup(host.name)}" tests="{sum(totals.values())}"{_counts(totals)}'
        f' skipped="{totals[Outcome.SKIP]}" time="{host.seconds:.2f}">\n'
    )
    if host.error:
        yield f'    <testcase classname="{markup(host.name)}" name="host">\n'
        told = markup(host.error)
        yield f'      <error type="unreachable" message="{told}">{markup(host.remedy)}</error>\n'
        yield "    </testcase>\n"
    for finding in host.findings:
        yield from _case(host, finding)
    yield "  </testsuite>\n"


def _case(host: HostResult, finding: Finding) -> Iterator[str]:
    name = finding.id + (f"[{finding.subject}]" if finding.subject else "")
    opening = f'    <testcase classname="{markup(host.name)}" name="{markup(name)}"'
    body = _body(finding)
    if not body:
        yield f"{opening}/>\n"
        return
    yield f"{opening}>\n      {body}\n    </testcase>\n"


def _body(finding: Finding) -> str:
    wanted = f", wanted {finding.wanted}" if finding.wanted else ""
    message = markup(f"{finding.found}{wanted}")
    text = markup("; ".join(part for part in (finding.note, finding.remedy) if part))
    if finding.outcome is Outcome.SKIP:
        return f'<skipped message="{text}"/>'
    if finding.outcome is Outcome.WARN:
        return f"<system-out>warning: {message}. {text}</system-out>"
    element = _ELEMENTS.get(finding.outcome, "")
    if not element:
        return ""
    return f'<{element} type="{finding.severity}" message="{message}">{text}</{element}>'
