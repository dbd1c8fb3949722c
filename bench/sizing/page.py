"""Runs to docs/benchmarks/sizing.md. Medians of runs, with the spread beside them; misses are said."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.sizing.results import Run

PROGRAMS = ("server", "postgresql", "worker", "driver")


@dataclass(frozen=True)
class Group:
    """The runs of one cell."""

    runs: tuple[Run, ...]

    def values(self, name: str) -> list[float]:
        return [float(run.figures[name]) for run in self.runs]

    def median(self, name: str) -> float:
        return statistics.median(self.values(name))

    @property
    def cpu_ms(self) -> float:
        return statistics.median(
            sum(float(run.figures[f"{name}_cpu_ms"]) for name in PROGRAMS) for run in self.runs
        )


@dataclass(frozen=True)
class Bar:
    """How many times the article's workflows/s are wanted at this delay, with 200 clients."""

    delay_ms: int
    times: float


BARS = (Bar(0, 2.5), Bar(2, 4.0), Bar(5, 6.0))
P99_SHARE = 1 / 3
BAR_CLIENTS = 200


def group(runs: Iterable[Run], stack: str, clients: int, delay_ms: int, measured_s: int) -> Group | None:
    """The runs of a cell, or None where there are none."""
    wanted = (stack, clients, delay_ms, measured_s)
    found = tuple(
        run
        for run in runs
        if (run.cell.stack, run.cell.clients, run.cell.delay_ms, run.cell.measured_s) == wanted
    )
    return Group(found) if found else None


def shown(runs: Sequence[Run], stacks: Sequence[str], clients: int, delays_ms: Sequence[int]) -> str:
    """One table: a row a stack and delay."""
    head = (
        "| added to a flush | settings | workflows/s, each run | median | p50 | p99 | errors |"
        " CPU ms a workflow: server, PostgreSQL, worker, driver | others' cores | connections |"
        " WAL KiB a workflow | transactions a flush | RSS MiB |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for delay_ms in delays_ms:
        for stack in stacks:
            found = group(runs, stack, clients, delay_ms, 30)
            if found:
                rows.append(f"| {delay_ms} ms | {stack} | {_row(found)} |")
    return "\n".join([head, *rows])


def _row(found: Group) -> str:
    each = ", ".join(f"{value:.1f}" for value in found.values("workflows_s"))
    parts = [f"{found.median(f'{name}_cpu_ms'):.1f}" for name in PROGRAMS]
    cells = [
        each,
        f"**{found.median('workflows_s'):.1f}**",
        f"{found.median('p50_ms') / 1000:.2f} s",
        f"{found.median('p99_ms') / 1000:.2f} s",
        f"{sum(found.values('errors')):.0f}",
        f"{found.cpu_ms:.1f}: {', '.join(parts)}",
        f"{found.median('foreign_cores'):.2f}",
        f"{max(found.values('connections')):.0f}",
        f"{found.median('wal_kib'):.0f}",
        f"{found.median('transactions_flush'):.1f}",
        f"{max(found.values('rss_mib')):.0f}",
    ]
    return " | ".join(cells)


def verdicts(runs: Sequence[Run]) -> str:
    """Ours against the bars and against the chart, cell by cell."""
    lines = [
        "| clients | added to a flush | ours / article | wanted | p99 / article's | wanted | ours / chart |",
        "|---|---|---|---|---|---|---|",
    ]
    wanted = {bar.delay_ms: bar.times for bar in BARS}
    for clients in (BAR_CLIENTS, 50):
        for delay_ms, times in wanted.items():
            groups = [group(runs, name, clients, delay_ms, 30) for name in ("ours", "article", "helm")]
            ours, article, helm = groups
            if ours is None or article is None or helm is None:
                continue
            barred = clients == BAR_CLIENTS
            gain, tail = _ratio(ours, article, "workflows_s"), _ratio(ours, article, "p99_ms")
            cells = [
                str(clients),
                f"{delay_ms} ms",
                f"{gain:.2f} x",
                _met(gain >= times, f"{times:g} x") if barred else "",
                f"{tail:.2f}",
                _met(tail <= P99_SHARE, "0.33") if barred else "",
                _met((over := _ratio(ours, helm, "workflows_s")) > 1, f"{over:.2f} x"),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _met(holds: bool, wanted: str) -> str:
    return f"{wanted}, {'met' if holds else '**missed**'}"


def _ratio(one: Group, other: Group, name: str) -> float:
    return one.median(name) / other.median(name)


def left_out(runs: Sequence[Run], names: Sequence[str], measured_s: int, delays_ms: Sequence[int]) -> str:
    """What each change to ours costs: in workflows/s, and in CPU at the machine's pace of that moment."""
    head = " | ".join(f"{delay} ms: workflows/s | x | CPU ms | p99" for delay in delays_ms)
    lines = [f"| ours, but | {head} |", "|---|" + "---|---|---|---|" * len(delays_ms)]
    for name in ("ours", *names):
        cells = []
        for delay_ms in delays_ms:
            base = group(runs, "ours", BAR_CLIENTS, delay_ms, measured_s)
            found = group(runs, name, BAR_CLIENTS, delay_ms, measured_s)
            if base is None or found is None:
                cells += ["", "", "", ""]
                continue
            each = ", ".join(f"{value:.1f}" for value in found.values("workflows_s"))
            ratio = _ratio(found, base, "workflows_s")
            cells += [each, f"{ratio:.2f}", f"{found.cpu_ms:.1f}", f"{found.median('p99_ms') / 1000:.1f} s"]
        lines.append(f"| {name.removeprefix('ours, ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(runs: Sequence[Run], changed: Sequence[str], machine: str) -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Does the sizing matter?",
            "",
            machine,
            "",
            shown(runs, ("article", "helm", "ours"), 200, (0, 2, 5)),
            "",
            verdicts(runs),
            "",
            left_out(runs, changed, 12, (0, 5)),
        ]
    )
