"""Runs to docs/benchmarks/sizing.md. Medians of runs, with the spread beside them; misses are said."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.sizing.results import left

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.sizing.cells import Matrix
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
    def over_worker(self) -> float:
        """CPU of server and PostgreSQL over the worker's, whose work for a workflow is always the same.

        A virtual machine's pace changes by half within minutes; this hardly does.
        """
        return statistics.median(
            (float(run.figures["server_cpu_ms"]) + float(run.figures["postgresql_cpu_ms"]))
            / float(run.figures["worker_cpu_ms"])
            for run in self.runs
        )

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
NOT_RUN = "Not run."
BAR_CLIENTS = 200


def group(
    runs: Iterable[Run], stack: str, clients: int, delay_ms: int, lengths_s: Sequence[int]
) -> Group | None:
    """The runs of a cell that were measured for one of these times, or None where there are none."""
    found = tuple(
        run
        for run in runs
        if (run.cell.stack, run.cell.clients, run.cell.delay_ms) == (stack, clients, delay_ms)
        and run.cell.measured_s in lengths_s
    )
    return Group(found) if found else None


def shown(runs: Sequence[Run], stacks: Sequence[str], clients: int, matrix: Matrix) -> str:
    """One table: a row a stack and delay."""
    head = (
        "| added to a flush | settings | workflows/s, each run | median | p50 | p99 | errors |"
        " CPU ms a workflow: server, PostgreSQL, worker, driver | cores busy, by others | connections |"
        " WAL KiB a workflow | transactions a flush | RSS MiB |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for delay_ms in matrix.delays_ms:
        for stack in stacks:
            found = group(runs, stack, clients, delay_ms, (matrix.full_s, matrix.half_s))
            if found:
                rows.append(f"| {delay_ms} ms | {stack} | {_row(found)} |")
    return "\n".join([head, *rows]) if rows else NOT_RUN


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
        f"{found.median('busy_cores'):.2f}, {found.median('foreign_cores'):.2f}",
        f"{max(found.values('connections')):.0f}",
        f"{found.median('wal_kib'):.0f}",
        f"{found.median('transactions_flush'):.1f}",
        f"{max(found.values('rss_mib')):.0f}",
    ]
    return " | ".join(cells)


def verdicts(runs: Sequence[Run], matrix: Matrix) -> str:
    """Ours against the bars and against the chart, cell by cell."""
    lines = [
        "| clients | added to a flush | ours / article | wanted | p99 / article's | wanted | ours / chart |",
        "|---|---|---|---|---|---|---|",
    ]
    wanted = {bar.delay_ms: bar.times for bar in BARS}
    for clients in (BAR_CLIENTS, 50):
        for delay_ms, times in wanted.items():
            lengths = (matrix.full_s if clients == BAR_CLIENTS else matrix.half_s,)
            article, helm, ours = (group(runs, name, clients, delay_ms, lengths) for name in matrix.main)
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


def left_out(runs: Sequence[Run], matrix: Matrix) -> str:
    """What each change to ours costs."""
    delays = matrix.changed_delays_ms
    head = " | ".join(f"{delay} ms: workflows/s | x | CPU x | p99" for delay in delays)
    lines = [f"| ours, but | {head} |", "|---|" + "---|---|---|---|" * len(delays)]
    absent = []
    for name in ("ours", *matrix.changed):
        cells = [cell for delay_ms in delays for cell in _changed(runs, name, delay_ms, (matrix.short_s,))]
        if any(cells):
            lines.append(f"| {'(nothing changed)' if name == 'ours' else name} | {' | '.join(cells)} |")
        else:
            absent.append(name)
    return "\n".join([*lines, *(["", f"Not run: {', '.join(absent)}."] if absent else [])])


def _changed(runs: Sequence[Run], name: str, delay_ms: int, lengths_s: Sequence[int]) -> list[str]:
    base = group(runs, "ours", BAR_CLIENTS, delay_ms, lengths_s)
    found = group(runs, name, BAR_CLIENTS, delay_ms, lengths_s)
    if base is None or found is None:
        return [""] * 4
    each = ", ".join(f"{value:.1f}" for value in found.values("workflows_s"))
    p99_s = found.median("p99_ms") / 1000
    rate = _ratio(found, base, "workflows_s")
    return [each, f"{rate:.2f}", f"{found.over_worker / base.over_worker:.2f}", f"{p99_s:.1f} s"]


def long(runs: Sequence[Run], measured_s: int) -> str:
    """The long run, where there was one."""
    found = next((run.figures for run in runs if run.cell.measured_s == measured_s), None)
    if found is None:
        return LONG.format(minutes=measured_s // 60, table=NOT_RUN)
    rows = {
        "workflows": f"{found['completed']:,}, {found['errors']} errors, {found['workflows_s']}/s",
        "checkpoints": f"{found['checkpoints']:.0f}, of them asked for by a full WAL"
        f" {found['requested_checkpoints']:.0f}",
        "WAL": f"{found['wal_mib']:,} MiB, {found['wal_kib']} KiB a workflow, of them full pages"
        f" {found['wal_images']} a workflow",
        "dead rows in the main store at the end": f"{found['dead_rows']:,}",
        "both databases at the end": f"{found['database_mib']:,} MiB",
        "Temporal's memory at the end": f"{found['rss_mib']} MiB",
    }
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
    return LONG.format(minutes=measured_s // 60, table=table)


LONG = """
## {minutes} minutes

Ours, 50 clients, beside other work on the same machine: not for its speed, but for what only time shows.

{table}
"""
TEMPLATE = Path(__file__).with_name("page.md")


def split(runs: Sequence[Run], matrix: Matrix) -> str:
    if not any(run.cell.stack in matrix.split for run in runs):
        return NOT_RUN
    return shown(runs, ("article", *matrix.split, "ours"), BAR_CLIENTS, matrix)


def page(runs: Sequence[Run], matrix: Matrix, machine: str, shards: int) -> str:
    """The whole page."""
    return TEMPLATE.read_text().format(
        machine=machine,
        made=f"{len(matrix.cells) - len(left(matrix.cells, runs))} of {len(matrix.cells)}",
        shards=shards,
        warmup=matrix.warmup_s,
        short=matrix.short_s,
        main=shown(runs, matrix.main, BAR_CLIENTS, matrix),
        verdicts=verdicts(runs, matrix),
        fifty=shown(runs, matrix.main, 50, matrix),
        split=split(runs, matrix),
        left_out=left_out(runs, matrix),
        long=long(runs, matrix.long_s),
    )
