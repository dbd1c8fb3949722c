"""Memory: as declared, and enough for its vCPUs."""

from __future__ import annotations

from dataclasses import asdict
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
)

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.memory import HugePages

GIB = 1024**3
SWAPPED_PERCENT = 25  # judgement: programs at work were swapped out, not only what slept


@check(
    "mem.total",
    "the host has the memory that was declared",
    severity=Severity.MAJOR,
    wants="`resources.memory` less resources_short_percent; memory_per_vcpu_gib of the class for each vCPU",
    remedy="tempo-infra inventory measure -i {inventory} --host {host}, or ask the provider",
    source="https://docs.redpanda.com/current/deploy/redpanda/manual/production/requirements/",
)
def total(facts: Facts, expected: Expected) -> Finding:
    """Firmware and kernel keep a part, so a little less than the nominal size is the whole of it."""
    kept = 1 - expected.limit("resources_short_percent") / 100
    per_vcpu = expected.limit("memory_per_vcpu_gib")
    vcpu = follow(facts.cpu, lambda part: part.count).value or 1

    def judge(found: int) -> Finding:
        enough = at_least(found, kept * per_vcpu * vcpu * GIB, unit="bytes")
        declared = expected.resources
        if declared is None:
            return noting(enough, f"{number(per_vcpu)} GiB per vCPU")
        short = kept * declared.memory_bytes
        as_declared = at_least(found, short, fail=short, unit="bytes")
        if as_declared.outcome.rank >= enough.outcome.rank:
            return noting(as_declared, f"{number(declared.memory_bytes, 'bytes')} declared")
        return noting(enough, f"{number(per_vcpu)} GiB per vCPU")

    return judged(follow(facts.memory, lambda part: part.total_bytes), judge)


@check(
    "mem.swap",
    "programs are not swapped out",
    severity=Severity.ADVICE,
    wants=f"no swap, or at most {SWAPPED_PERCENT} % of it in use",
    remedy="give the host more memory or fewer roles; swapoff -a && swapon -a brings back what sleeps there",
    source="https://www.postgresql.org/docs/current/kernel-resources.html#LINUX-MEMORY-OVERCOMMIT",
)
def swap(facts: Facts, expected: Expected) -> Finding:
    del expected
    free = follow(facts.memory, lambda part: part.swap_free_bytes)

    def judge(total_bytes: int) -> Finding:
        if not total_bytes:
            return Finding(outcome=Outcome.PASS, found="no swap")

        def used(free_bytes: int) -> Finding:
            percent = 100 * (total_bytes - free_bytes) / total_bytes
            size = f"of {number(total_bytes, 'bytes')} in use"
            return noting(at_most(round(percent, 1), SWAPPED_PERCENT, unit="%"), size)

        return judged(free, used)

    return judged(follow(facts.memory, lambda part: part.swap_bytes), judge)


@check(
    "mem.hugepages",
    "reserved huge pages are used",
    severity=Severity.ADVICE,
    wants="none reserved, or at least half of them in use and PostgreSQL's shared memory in them",
    remedy="sysctl vm.nr_hugepages=0, or set huge_pages in postgresql.conf so that they are used; where the "
    "kernel gave too few, a reboot finds more",
    source="https://www.postgresql.org/docs/current/kernel-resources.html#LINUX-HUGE-PAGES",
)
def hugepages(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(told: HugePages) -> Finding:
        idle = number(told.free * told.page_bytes, "bytes")
        outcome = Outcome.WARN if 2 * told.free > told.total else Outcome.PASS
        found = f"{told.total} reserved, {idle} of them idle" if told.total else "none reserved"
        if told.total and _not_taken(facts):
            # Its container's limit was lowered by what is reserved: shared memory lies within that limit now.
            outcome, found = Outcome.WARN, f"{found}; PostgreSQL does not use them (huge_pages_status off)"
        return Finding(outcome=outcome, found=found, wanted="half in use", evidence=asdict(told))

    return judged(follow(facts.memory, lambda part: part.hugepages), judge)


def _not_taken(facts: Facts) -> bool:
    """Whether PostgreSQL would use huge pages and had to do without: there were too few when it started."""
    live = follow(facts.database, lambda part: part.live).value
    return live is not None and live.huge_pages != "off" and live.huge_pages_used == "off"
