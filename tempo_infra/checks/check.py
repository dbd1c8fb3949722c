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


MOST_FINDINGS = 100  # of one check on one host


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

    @property
    def part(self) -> str:
        """Return the part of the facts that it judges: a subject has one name in every room."""
        room, _, module = self.function.__module__.rpartition(".")
        if room != __package__:  # a component's own
            return "components"
        asked_as = {
            "containers": "generation",
            "temporal": "roles",
            "logins": "database",
            "backup": "components",
        }
        return asked_as.get(module, module)

    @property
    def general_remedy(self) -> str:
        """Return the remedy for whoever reads about the check, without an inventory or a host at hand."""
        return self.remedy.replace("{inventory}", "inventory.yaml").replace("{host}", "HOST")

    def evaluate(self, facts: Facts, expected: Expected) -> tuple[Finding, ...]:
        """Judge one host; a judge that crashes has found nothing out, and says so."""
        try:
            answer = self.function(facts, expected)
        except Exception as error:  # noqa: BLE001 - one broken judge must not hide what the others found
            reason = f"the check crashed: {type(error).__name__}: {error}"
            answer = Finding(outcome=Outcome.UNKNOWN, found="not judged", note=reason)
        findings = _bounded(answer if isinstance(answer, tuple) else (answer,))
        seconds = facts.seconds_by_part.get(self.part, 0.0)
        return tuple(replace(self._completed(finding, expected), seconds=seconds) for finding in findings)

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
            phase=self.phase.value,
            source=self.source,
        )


def _bounded(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Fold what is too much to read into one finding with the worst outcome of the rest."""
    if len(findings) <= MOST_FINDINGS:
        return findings
    rest = findings[MOST_FINDINGS - 1 :]
    worst = max((one.outcome for one in rest), key=lambda one: one.rank)
    more = Finding(outcome=worst, subject="others", found=f"{len(rest)} more")
    return (*findings[: MOST_FINDINGS - 1], more)


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
