"""What a check is: an id, its words, and one pure function from (Facts, Expected) to findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from tempo_infra.checks.finding import Finding, Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts


class Phase(StrEnum):
    """When a check makes sense: on a fresh host, on a provisioned one, or on both."""

    BEFORE = "before"
    AFTER = "after"
    BOTH = "both"

    def includes(self, other: Phase) -> bool:
        """Whether a run of this phase holds a check of the other."""
        return Phase.BOTH in (self, other) or self is other


@dataclass(frozen=True, slots=True)
class Check:
    """One entry of the catalogue. An id is given once and never used again for something else.

    The remedy may name `{inventory}` and `{host}`; they are filled in from what is expected.
    """

    id: str
    title: str
    severity: Severity
    phase: Phase
    wants: str  # what passes, in one line, for the reference page
    remedy: str
    source: str  # where the limit comes from
    function: Callable[[Facts, Expected], Finding | tuple[Finding, ...]]

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]

    def evaluate(self, facts: Facts, expected: Expected) -> tuple[Finding, ...]:
        """Judge one host; a judge that crashes has found nothing out, and says so."""
        try:
            answer = self.function(facts, expected)
        except Exception as error:  # noqa: BLE001 - one broken judge must not hide what the others found
            reason = f"the check crashed: {type(error).__name__}: {error}"
            answer = Finding(outcome=Outcome.UNKNOWN, found="not judged", note=reason)
        findings = answer if isinstance(answer, tuple) else (answer,)
        return tuple(self._completed(finding, expected) for finding in findings)

    def _completed(self, finding: Finding, expected: Expected) -> Finding:
        outcome = finding.outcome
        if outcome is Outcome.FAIL and self.severity is Severity.ADVICE:
            outcome = Outcome.WARN
        todo = outcome in (Outcome.WARN, Outcome.FAIL)
        remedy = (finding.remedy or self.remedy) if todo else ""
        return replace(
            finding,
            outcome=outcome,
            remedy=expected.filled_in(remedy),
            id=self.id,
            title=self.title,
            severity=self.severity,
        )


def check(  # noqa: PLR0913 - the fields of a Check, by name
    identifier: str,
    title: str,
    *,
    severity: Severity,
    wants: str,
    remedy: str,
    source: str,
    phase: Phase = Phase.BOTH,
) -> Callable[[Callable[[Facts, Expected], Finding | tuple[Finding, ...]]], Check]:
    """Make a Check of the function below; the catalogue lists it."""

    def make(function: Callable[[Facts, Expected], Finding | tuple[Finding, ...]]) -> Check:
        return Check(identifier, title, severity, phase, wants, remedy, source, function)

    return make
