"""The clock: is something keeping it right, and is it cheap to read."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_most,
    follow,
    judged,
    noting,
    number,
    one_of,
    skipped,
    together,
)

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected, HostClock
    from tempo_infra.on_host.facts import Facts, Link
    from tempo_infra.on_host.probes.clock import Discipline

SETTLING_S = 60  # a daemon that started with the host needs about a minute
CHEAP = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter")


@check(
    "clock.sync",
    "the clock is kept right",
    severity=Severity.MAJOR,
    wants="the kernel says synchronised, its maximal error is within clock_maxerror_ms, and a program keeps "
    "it so",
    remedy="apt install chrony, systemctl status chrony; it needs UDP port 123 outwards",
    source="https://man7.org/linux/man-pages/man2/adjtimex.2.html",
)
def sync(facts: Facts, expected: Expected) -> Finding:
    limit, fail = expected.limit("clock_maxerror_ms"), expected.limit("clock_maxerror_fail_ms")

    def judge(told: Discipline) -> Finding:
        if told.synchronised:
            compared = at_most(told.max_error_ms, limit, fail=fail, unit="ms", label="max error")
            return together(noting(compared, "", **asdict(told)), *_unkept(facts))
        uptime_s = follow(facts.clock, lambda part: part.uptime_s).value
        young = uptime_s is not None and uptime_s < SETTLING_S
        return Finding(
            outcome=Outcome.WARN if young else Outcome.FAIL,
            found="not synchronised",
            wanted=f"synchronised, max error ≤ {number(limit, 'ms')}",
            note=f"started {number(uptime_s or 0, 's')} ago" if young else "",
            evidence=asdict(told),
        )

    return judged(follow(facts.clock, lambda part: part.discipline), judge)


def _unkept(facts: Facts) -> list[Finding]:
    """Warn of a clock whose keeper has stopped: it drifts, and calls itself synchronised for hours."""
    keeper = follow(facts.clock, lambda part: part.keeper)
    container = follow(facts.virt, lambda part: part.container).value
    if keeper.value is not None or not keeper.not_wanted or container not in (None, "none"):
        return []
    return [Finding(outcome=Outcome.WARN, found="nothing keeps it", note=keeper.unread)]


@check(
    "clock.source",
    "the clock is cheap to read",
    severity=Severity.ADVICE,
    wants="tsc, kvm-clock, hyperv_clocksource_tsc_page or arch_sys_counter",
    remedy="boot with clocksource=tsc if the kernel lists it as available; else ask the provider",
    source="https://www.postgresql.org/docs/current/pgtesttiming.html",
)
def source(facts: Facts, expected: Expected) -> Finding:
    del expected
    reading = follow(facts.clock, lambda part: part.source)
    return judged(
        reading,
        lambda told: noting(one_of(told.current, CHEAP), "", available=told.available),
        "tsc or kvm-clock",
    )


@check(
    "clock.skew",
    "the clocks of the hosts agree",
    severity=Severity.MAJOR,
    wants="offset to the controller and to each other host within clock_skew_ms, beyond doubt of half a "
    "round trip; fails beyond clock_skew_fail_ms",
    remedy="chronyc makestep, or timedatectl set-ntp true; then see clock.sync on both hosts",
    source="https://www.cockroachlabs.com/docs/stable/recommended-production-settings#clock-synchronization",
)
def skew(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    """Compare hosts with each other; the controller's own clock may be wrong, so it only warns."""
    own = expected.clocks.get(expected.host)

    def judge(link: Link) -> Finding:
        found = _skew(link.offset_ms, link.uncertainty_ms, expected)
        if found.outcome is Outcome.FAIL and len(expected.clocks) > 1:
            found = replace(found, outcome=Outcome.WARN)
        return noting(replace(found, subject="controller"), "", **asdict(link))

    reading = facts.link
    first = skipped(reading.unread) if reading.not_wanted else judged(reading, judge)
    if own is None:
        return first
    others = ((name, clock) for name, clock in expected.clocks.items() if name != expected.host)
    return (first, *(_between(own, name, clock, expected) for name, clock in others))


def _between(own: HostClock, name: str, other: HostClock, expected: Expected) -> Finding:
    doubt_ms = own.uncertainty_ms + other.uncertainty_ms
    return replace(_skew(own.offset_ms - other.offset_ms, doubt_ms, expected), subject=name)


def _skew(offset_ms: float, doubt_ms: float, expected: Expected) -> Finding:
    """Only the part of an offset that is beyond doubt warns or fails; too much doubt is no measurement."""
    limit, fail = expected.limit("clock_skew_ms"), expected.limit("clock_skew_fail_ms")
    sure_ms = max(0.0, abs(offset_ms) - doubt_ms)
    outcome = Outcome.PASS if sure_ms <= limit else Outcome.WARN if sure_ms <= fail else Outcome.FAIL
    if outcome is Outcome.PASS and doubt_ms > limit:
        outcome = Outcome.UNKNOWN
    return Finding(
        outcome=outcome,
        found=f"{'+' if offset_ms >= 0 else '-'}{number(abs(offset_ms))} ± {number(doubt_ms, 'ms')}",
        wanted=f"≤ {number(limit, 'ms')}",
        evidence={"offset_ms": offset_ms, "uncertainty_ms": doubt_ms},
    )
