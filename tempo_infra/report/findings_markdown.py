"""The check report as Markdown, for a ticket or a pull request: what is wrong first, passes folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.finding import Finding, Outcome
from tempo_infra.report.escaping import code, markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tempo_infra.report.result import CheckRun, HostResult

MARKS = {
    Outcome.PASS: "✓ pass",
    Outcome.WARN: "! warn",
    Outcome.FAIL: "✗ **fail**",
    Outcome.UNKNOWN: "? unknown",
    Outcome.SKIP: "- skip",
}
_HEAD = "| | check | found | wanted | note |\n|---|---|---|---|---|\n"


def write(run: CheckRun) -> Iterable[str]:
    """Give one page in GitHub's Markdown."""
    yield "# check-host\n\n"
    counts = (f"{number} {outcome}" for outcome, number in reversed(run.totals.items()) if number)
    yield f"{' · '.join(counts)} · exit {run.exit_code}\n"
    for host in run.hosts:
        yield from _host(host)
    yield from _diagnosis(run)
    if run.changes is not None:
        yield "\n## Changes\n\n"
        yield "".join(f"- {markdown(one.line)}\n" for one in run.changes) or "none\n"


def _diagnosis(run: CheckRun) -> Iterator[str]:
    if not run.symptom:
        return
    yield f"\n## Diagnosis: {markdown(run.symptom)}\n\n"
    for one in run.diagnosis:
        yield f"- **{one.standing}**: {markdown(one.cause)} ({markdown(one.how)})\n"
        yield "".join(f"  - {markdown(line)}\n" for line in one.evidence)
        yield f"  - → {markdown(one.next)}\n" if one.next else ""


def _host(host: HostResult) -> Iterator[str]:
    parts = dict.fromkeys(part for part in (host.name, host.class_name, host.address) if part)
    yield f"\n## {markdown(' · '.join(parts))}\n\n"
    if host.error:
        yield f"Not asked: {markdown(host.error)}\n"
        yield f"\n{markdown(host.remedy)}\n" if host.remedy else ""
        return
    if host.verdict:
        yield f"**{markdown(host.verdict)}**\n\n"
    if host.system:
        yield f"{markdown(host.system)}; measured in {host.seconds:.1f} s\n\n"
    quiet = (Outcome.PASS, Outcome.SKIP)
    yield from _table([one for one in host.findings if one.outcome not in quiet])
    folded = [one for one in host.findings if one.outcome in quiet]
    if folded:
        yield f"<details><summary>{len(folded)} passed or skipped</summary>\n\n"
        yield from _table(folded)
        yield "</details>\n"


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield _HEAD
    for one in findings:
        found = f"{one.subject}: {one.found}" if one.subject else one.found
        remedy = code(one.remedy) if one.remedy else ""
        note = " → ".join(part for part in (markdown(one.note), remedy) if part)
        cells = (MARKS[one.outcome], code(one.id), markdown(found), markdown(one.wanted), note)
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"
