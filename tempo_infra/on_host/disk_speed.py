"""How fast the data directory's disk makes writes durable, measured before a database runs on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.child import aside
from tempo_infra.on_host.data_folder import NAME
from tempo_infra.on_host.probes import disk, fsync
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

BURST_S, DEADLINE_S = 1.0, 60.0
SAMPLES = 200  # enough for a median; check-host measures longer


@dataclass(frozen=True)
class DiskSpeed:
    p50_ms: float | None
    p99_ms: float | None
    say: str


def measure(layout: Layout) -> DiskSpeed:
    """Measure one short burst; a disk that can't be measured is said, and stops nothing."""
    try:
        p50_us, p99_us, count = aside(lambda: _burst(layout), str(layout.data / NAME), deadline_s=DEADLINE_S)
    except (StepError, OSError) as reason:
        return DiskSpeed(None, None, f"fsync not measured: {reason}")
    say = f"fsync p50 {p50_us / 1000:.2f} ms, p99 {p99_us / 1000:.1f} ms (n={count:g})"
    return DiskSpeed(p50_us / 1000, p99_us / 1000, say)


def _burst(layout: Layout) -> "list[float]":
    try:
        directory = fsync.writable_directory(disk.nearest(str(layout.data / NAME)))
        fsync.refuse_if_unfit(directory)
        with fsync.scratch_file(directory) as descriptor:
            probe = fsync.Probe(directory, descriptor)
            probe.burst(BURST_S, at_least=SAMPLES, cap_s=5 * BURST_S)
            found = probe.result()
    except Unread as reason:
        raise StepError(str(reason)) from reason
    return [found.p50_us, found.p99_us, found.n]
