"""Memory: as declared, and enough for its vCPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import Finding, Severity, at_least, follow, judged, noting, number

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts

GIB = 1024**3


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
