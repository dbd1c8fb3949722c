"""What a run of check-host has to tell, whatever the format."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tempo_infra.checks.finding import Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.checks.diagnosis import Diagnosed
    from tempo_infra.report.comparing import Change


@dataclass(frozen=True, slots=True)
class HostResult:
    """One host: its findings, or why there are none."""

    name: str
    address: str
    class_name: str = ""
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    verdict: str = ""
    error: str = ""  # the host could not be asked; counts as one unknown
    remedy: str = ""  # for the error
    labels: str = ""  # the operator's own words about it: "owner=kari, rack=b2"
    system: str = ""  # "Debian GNU/Linux 13 (trixie), Linux 6.12.0, taken 2026-11-20T10:00:00Z"

    @property
    def totals(self) -> dict[Outcome, int]:
        """Count the findings; a host that could not be asked is one unknown."""
        counted = Counter(finding.outcome for finding in self.findings)
        counted[Outcome.UNKNOWN] += bool(self.error)
        return {outcome: counted[outcome] for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class CheckRun:
    hosts: tuple[HostResult, ...]
    exit_code: int
    symptom: str = ""
    diagnosis: tuple[Diagnosed, ...] = ()  # of the symptom
    changes: tuple[Change, ...] | None = None  # since the run before; None: nothing to compare with

    @property
    def totals(self) -> dict[Outcome, int]:
        """Count the findings of all hosts; a host that could not be asked is one unknown."""
        each = [host.totals for host in self.hosts]
        return {outcome: sum(totals[outcome] for totals in each) for outcome in Outcome}


class Writer(Protocol):
    """A format: takes a run, gives its text in pieces."""

    def __call__(self, run: CheckRun) -> Iterable[str]: ...
