"""The catalogue of checks: pure functions from what was measured and what is expected to findings."""

from __future__ import annotations

from tempo_infra.checks.catalogue import CHECKS
from tempo_infra.checks.check import Check, Phase
from tempo_infra.checks.expected import Expected
from tempo_infra.checks.finding import Finding, Outcome, Severity
from tempo_infra.checks.judging import find, judge
from tempo_infra.checks.reader import FactsError, read_facts
from tempo_infra.checks.verdict import verdict

__all__ = [
    "CHECKS",
    "Check",
    "Expected",
    "FactsError",
    "Finding",
    "Outcome",
    "Phase",
    "Severity",
    "find",
    "judge",
    "read_facts",
    "verdict",
]
