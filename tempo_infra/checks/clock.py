"""The clock: is something keeping it right, and is it cheap to read."""

from __future__ import annotations

from dataclasses import asdict
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
)

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.clock import Discipline

SETTLING_S = 60  # a daemon that started with the host needs about a minute
CHEAP = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter")


@check(
    "clock.sync",
    "the clock is kept right",
    severity=Severity.MAJOR,
    wants="the kernel says synchronised, and its maximal error is within clock_maxerror_ms",
    remedy="apt install chrony; it needs UDP port 123 outwards",
    source="https://man7.org/linux/man-pages/man2/adjtimex.2.html",
)
def sync(facts: Facts, expected: Expected) -> Finding:
    limit, fail = expected.limit("clock_maxerror_ms"), expected.limit("clock_maxerror_fail_ms")

    def judge(told: Discipline) -> Finding:
        if told.synchronised:
            compared = at_most(told.max_error_ms, limit, fail=fail, unit="ms", label="max error")
            return noting(compared, "", **asdict(told))
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
