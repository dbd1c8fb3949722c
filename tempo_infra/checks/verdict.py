"""One line a host: is it fit for its class, and where its durable writes really go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.finding import Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tempo_infra.checks.expected import Expected


def verdict(findings: Sequence[Finding], expected: Expected, database: Sequence[Finding] = ()) -> str:
    """Sum up a host; `database` are the findings of the host that flushes its writes, if they are known."""
    name = f"its class ({expected.class_name})" if expected.class_name else "its purpose"
    failed = _ids(findings, Outcome.FAIL)
    unknown = _ids(findings, Outcome.UNKNOWN)
    if failed:
        fit = f"not fit for {name}: {failed}"
    elif unknown:
        fit = f"not known to be fit for {name}: {unknown} not measured"
    else:
        fit = f"fit for {name}"
    return "; ".join(part for part in (fit, _elsewhere(expected, database)) if part)


def _ids(findings: Sequence[Finding], outcome: Outcome) -> str:
    return ", ".join(dict.fromkeys(one.id for one in findings if one.outcome is outcome))


def _elsewhere(expected: Expected, database: Sequence[Finding]) -> str:
    if expected.keeps_the_data or not expected.database_host:
        return ""
    measured = [one for one in database if one.id == "disk.fsync" and one.outcome is not Outcome.SKIP]
    figure = f": fsync {measured[0].found} there" if measured else ""
    return f"its durable writes are flushed on {expected.database_host}{figure}"
