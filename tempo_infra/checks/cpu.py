"""vCPUs: are there as many as declared, and are they this host's own."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_least,
    at_most,
    follow,
    judged,
    noting,
    number,
    skipped,
)

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.cpu import Speed, Steal

BUSY_PERCENT = 50  # a window in which the vCPUs hardly wanted to run proves nothing


@check(
    "cpu.steal",
    "the hypervisor takes no CPU time away",
    severity=Severity.MAJOR,
    wants="steal under load within steal_percent; fails beyond steal_fail_percent when the average "
    "since boot agrees",
    remedy="ask the provider for dedicated vCPUs or another machine; send this line along",
    source="https://www.kernel.org/doc/html/latest/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat",
)
def steal(facts: Facts, expected: Expected) -> Finding:
    limit, fail = expected.limit("steal_percent"), expected.limit("steal_fail_percent")
    boot = follow(facts.cpu, lambda part: part.steal_since_boot_percent).value
    loaded = follow(facts.cpu, lambda part: part.steal_loaded)
    if loaded.value is None and loaded.not_wanted and boot is not None and boot > limit:
        return noting(at_most(boot, limit, unit="%"), f"since boot; under load {loaded.unread}")

    def judge(told: Steal) -> Finding:
        confirmed = boot is not None and boot > fail
        found = at_most(told.percent, limit, fail=fail if confirmed else None, unit="%")
        since = "" if boot is None else f"{number(boot, '%')} since boot"
        found = noting(found, since, since_boot_percent=boot, **asdict(told))
        if told.busy_percent < BUSY_PERCENT:
            idle = f"the vCPUs were only {number(told.busy_percent, '%')} busy"
            return noting(replace(found, outcome=Outcome.UNKNOWN), idle)
        return replace(found, found=f"{found.found} under load")

    return judged(loaded, judge, f"≤ {number(limit, '%')}")


@check(
    "cpu.count",
    "the host has the vCPUs that were declared",
    severity=Severity.MAJOR,
    wants="at least `resources.vcpu`",
    remedy="tempo-infra inventory measure -i {inventory} --host {host}, or ask the provider",
    source="the inventory's resources",
)
def cores(facts: Facts, expected: Expected) -> Finding:
    resources = expected.resources
    if resources is None:
        return skipped("no inventory declares its vCPUs")
    model = follow(facts.cpu, lambda part: part.model).value or ""

    def judge(found: int) -> Finding:
        return noting(at_least(found, resources.vcpu, fail=resources.vcpu), model)

    return judged(follow(facts.cpu, lambda part: part.count), judge, f"≥ {resources.vcpu}")


@check(
    "cpu.speed",
    "how fast a vCPU and the memory are",
    severity=Severity.ADVICE,
    wants="nothing: the figures are for comparing hosts with each other",
    remedy="nothing to do",
    source="judgement: figures of a shared vCPU change with its neighbours",
)
def speed(facts: Facts, expected: Expected) -> Finding:
    del expected

    def tell(told: Speed) -> Finding:
        found = f"sha256 {number(told.sha256_mb_s, 'MB/s')}, loop {number(told.loop_mops)} Mops/s"
        found += f", memory copy {number(told.copy_gb_s, 'GB/s')}"
        return Finding(outcome=Outcome.PASS, found=found, note="one vCPU", evidence=asdict(told))

    return judged(follow(facts.cpu, lambda part: part.speed), tell)
