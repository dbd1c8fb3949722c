"""The kernel's own complaints since boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import Finding, Outcome, Severity, follow, judged, skipped

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.kernel_log import Complaint, KernelLog

WORDS = {"oom": "out of memory", "hung": "hung task", "io": "I/O error", "filesystem": "file-system error"}
FATAL = ("io", "filesystem")  # data is at stake; the others are of the past and perhaps of a test


@check(
    "kernel.log",
    "the kernel has nothing bad to tell since boot",
    severity=Severity.CRITICAL,
    wants="no out-of-memory kill and no hung task (they warn); no I/O or file-system error (they fail)",
    remedy="journalctl --dmesg --boot shows them; I/O errors go to the provider, with the lines",
    source="https://github.com/kubernetes/node-problem-detector/blob/master/config/kernel-monitor.json",
)
def log(facts: Facts, expected: Expected) -> Finding:
    del expected
    container = follow(facts.virt, lambda part: part.container).value
    if container not in (None, "none"):
        return skipped("a container sees the kernel log of the machine below it, with others' lines")
    return judged(facts.kernel_log, _judge)


def _judge(told: KernelLog) -> Finding:
    fatal = any(one.kind in FATAL for one in told.complaints)
    outcome = Outcome.FAIL if fatal else Outcome.WARN if told.complaints else Outcome.PASS
    return Finding(
        outcome=outcome,
        found=", ".join(_line(one) for one in told.complaints) or "nothing",
        wanted="nothing",
        note=told.complaints[-1].last if told.complaints else f"{told.lines} lines of the {told.origin}",
        evidence={one.kind: {"lines": one.count, "last": one.last} for one in told.complaints},
    )


def _line(one: Complaint) -> str:
    return f"{WORDS[one.kind]} ({one.count} line{'' if one.count == 1 else 's'})"
