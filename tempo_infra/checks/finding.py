"""What a check found, and the verbs that make it: outcome and text come from the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from tempo_infra.on_host.probes.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")
U = TypeVar("U")


class Outcome(StrEnum):
    """From good to bad, so that the worse of two is the later member."""

    SKIP = "skip"  # does not apply here, or was left out on purpose; the note says why
    PASS = "pass"  # noqa: S105 - not a password
    UNKNOWN = "unknown"  # wanted, but could not be measured
    WARN = "warn"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        return list(Outcome).index(self)


class Severity(StrEnum):
    """What is at stake when a check fails; belongs to the check, not to the finding."""

    CRITICAL = "critical"  # data, or the service as a whole
    MAJOR = "major"  # the service gets slow or stops under load
    ADVICE = "advice"  # worth doing; never more than a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    outcome: Outcome
    found: str = ""  # "p50 0.13 ms"
    wanted: str = ""  # "≤ 1 ms"
    subject: str = ""  # which one, where a host has several: a container's name
    note: str = ""  # number of samples and spread, or why nothing was found
    evidence: Mapping[str, Any] = field(default_factory=dict)  # JSON values, for whoever looks closer
    remedy: str = ""  # what to do, a command where there is one; empty when nothing is to be done
    id: str = ""  # this and what follows is the check's; set by Check.evaluate
    title: str = ""
    severity: Severity = Severity.MAJOR
    phase: str = ""
    source: str = ""  # where the limit comes from
    seconds: float = 0.0  # that measuring took, shared with the checks that judge the same part


def number(value: float, unit: str = "") -> str:
    """Write a measured number with three digits that count, and its unit.

    >>> number(0.13149, "ms"), number(65535), number(4294967296, "bytes")
    ('0.131 ms', '65535', '4 GiB')
    """
    if unit == "bytes":
        return f"{_three_digits(value / 1024**3)} GiB"
    return f"{_three_digits(value)} {unit}".rstrip()


def _three_digits(value: float) -> str:
    return str(round(value)) if value == int(value) or abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  # three digits


def count(value: int) -> str:
    """Write a number of samples with its thousands apart: 21 870."""
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")


def at_most(
    value: float, limit: float, *, fail: float | None = None, unit: str = "", label: str = ""
) -> Finding:
    """Pass up to `limit`, warn up to `fail`, fail beyond; without `fail` it never fails."""
    outcome = (
        Outcome.PASS if value <= limit else Outcome.WARN if fail is None or value <= fail else Outcome.FAIL
    )
    return Finding(
        outcome=outcome, found=f"{label} {number(value, unit)}".strip(), wanted=f"≤ {number(limit, unit)}"
    )


def at_least(
    value: float, limit: float, *, fail: float | None = None, unit: str = "", label: str = ""
) -> Finding:
    """Pass from `limit` up, warn from `fail` up, fail below; without `fail` it never fails."""
    outcome = (
        Outcome.PASS if value >= limit else Outcome.WARN if fail is None or value >= fail else Outcome.FAIL
    )
    return Finding(
        outcome=outcome, found=f"{label} {number(value, unit)}".strip(), wanted=f"≥ {number(limit, unit)}"
    )


def one_of(
    value: str, good: tuple[str, ...], *, tolerated: tuple[str, ...] | None = None, label: str = ""
) -> Finding:
    """Pass for a good word, warn for a tolerated one, fail for others; `tolerated=None` tolerates all."""
    if value in good:
        outcome = Outcome.PASS
    else:
        outcome = Outcome.WARN if tolerated is None or value in tolerated else Outcome.FAIL
    return Finding(outcome=outcome, found=f"{label} {value}".strip(), wanted=" or ".join(good))


def unread(reading: Reading[Any], wanted: str = "") -> Finding:
    """Find nothing: unknown, never passed, or skipped when it was left out on purpose."""
    outcome = Outcome.SKIP if reading.not_wanted else Outcome.UNKNOWN
    return Finding(outcome=outcome, found="not measured", wanted=wanted, note=reading.unread)


def skipped(reason: str) -> Finding:
    return Finding(outcome=Outcome.SKIP, found="does not apply", note=reason)


def follow(reading: Reading[T], get: Callable[[T], Reading[U]]) -> Reading[U]:
    """Go from a part of the facts to one reading in it; the reason travels along."""
    if reading.value is None:
        return Reading(None, reading.unread, reading.not_wanted)
    return get(reading.value)


def judged(reading: Reading[T], judge: Callable[[T], Finding], wanted: str = "") -> Finding:
    """Judge a value that was read; say why there is none otherwise."""
    return unread(reading, wanted) if reading.value is None else judge(reading.value)


def together(*findings: Finding) -> Finding:
    """Make one finding of several numbers of one subject: the worst outcome, all the texts."""
    worst = max(findings, key=lambda one: one.outcome.rank)
    return replace(
        worst,
        found=_joined("  ", (one.found for one in findings)),
        wanted=_joined(" / ", (one.wanted for one in findings)),
        note=_joined("; ", (one.note for one in findings)),
        evidence={key: value for one in findings for key, value in one.evidence.items()},
    )


def _joined(separator: str, texts: Iterable[str]) -> str:
    return separator.join(dict.fromkeys(text for text in texts if text))


def noting(finding: Finding, note: str, **evidence: object) -> Finding:
    """Add a note and evidence to a finding."""
    return replace(
        finding, note=_joined("; ", (finding.note, note)), evidence={**finding.evidence, **evidence}
    )
