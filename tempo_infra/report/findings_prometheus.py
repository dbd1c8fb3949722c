"""The check report for node_exporter's textfile collector: one line a finding, and the measured figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra.checks.finding import Finding, Outcome
from tempo_infra.report.escaping import label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tempo_infra.report.result import CheckRun, HostResult

_STATUS = "tempo_infra_check_status"
# Figures worth a graph: check, its evidence, the metric, and the factor to Prometheus' base unit.
FIGURES = (
    ("disk.fsync", "p50_us", "tempo_infra_fdatasync_p50_seconds", 1e-6),
    ("disk.fsync", "p99_us", "tempo_infra_fdatasync_p99_seconds", 1e-6),
    ("disk.space", "free_bytes", "tempo_infra_data_free_bytes", 1.0),
    ("cpu.steal", "percent", "tempo_infra_steal_under_load_ratio", 1e-2),
    ("clock.sync", "max_error_ms", "tempo_infra_clock_max_error_seconds", 1e-3),
)


def write(run: CheckRun) -> Iterable[str]:
    """Give the text exposition format 0.0.4; a skipped check has no status."""
    yield from _family("tempo_infra_host_reachable", "1 when the host could be asked")
    for host in run.hosts:
        yield f'tempo_infra_host_reachable{{host="{label(host.name)}"}} {int(not host.error)}\n'
    yield from _family(_STATUS, "0 pass, 1 warn, 2 fail, 3 unknown")
    for host in run.hosts:
        for finding in host.findings:
            yield from _status(host, finding)
    for check, key, metric, factor in FIGURES:
        lines = [line for host in run.hosts for line in _figure(host, check, key, metric, factor)]
        if lines:
            yield from _family(metric, f"{check}: {key}")
            yield from lines
    yield from _family("tempo_infra_check_exit_code", "exit code of the run")
    yield f"tempo_infra_check_exit_code {int(run.exit_code)}\n"


def _family(name: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"


def _status(host: HostResult, finding: Finding) -> Iterator[str]:
    order = (Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN)
    if finding.outcome not in order:
        return
    labels = {"host": host.name, "check": finding.id, "subject": finding.subject}
    labels["severity"] = finding.severity
    text = ",".join(f'{name}="{label(value)}"' for name, value in labels.items())
    yield f"{_STATUS}{{{text}}} {order.index(finding.outcome)}\n"


def _figure(host: HostResult, check: str, key: str, metric: str, factor: float) -> Iterator[str]:
    for finding in host.findings:
        value: Any = finding.evidence.get(key) if finding.id == check else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f'{metric}{{host="{label(host.name)}"}} {value * factor:.9g}\n'
