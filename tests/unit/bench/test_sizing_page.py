"""The page: medians of runs, misses said, and the whole of it as stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.sizing.cells import Cell, Matrix
from bench.sizing.page import page, verdicts
from bench.sizing.results import Run

GOLDEN = Path(__file__).with_name("page.golden.md")
MATRIX = Matrix(changed=("lib/pq", "4 shards"))
RATES = {"article": 20.0, "helm": 25.0, "ours": 60.0, "lib/pq": 45.0, "4 shards": 15.0}


def run(cell: Cell, rate: float | None = None, p99_ms: float = 3000.0) -> Run:
    rate = rate or RATES.get(cell.stack, 30.0)
    figures: dict[str, Any] = {
        "workflows_s": rate + cell.repeat,
        "p50_ms": 1000.0,
        "p99_ms": p99_ms,
        "errors": 0,
        "completed": 100,
        "connections": 50 + cell.repeat,
        "foreign_cores": 0.1,
        "busy_cores": 1.9,
        "wal_kib": 100.0,
        "wal_mib": 900,
        "wal_images": 0.5,
        "transactions_flush": 6.0,
        "rss_mib": 600,
        "checkpoints": 2.0,
        "requested_checkpoints": 0.0,
        "dead_rows": 1234,
        "database_mib": 500,
    }
    costs = {"server": 16.0, "postgresql": 11.0, "worker": 2.0, "driver": 1.0}
    return Run(cell, "x", figures | {f"{name}_cpu_ms": cost for name, cost in costs.items()})


def test_the_page_is_as_stored(*, pytestconfig: pytest.Config) -> None:
    found = page([run(cell) for cell in (*MATRIX.cells, MATRIX.long)], MATRIX, "2 vCPU", 512)
    if pytestconfig.getoption("--update-golden"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


@pytest.mark.parametrize(("rate", "said"), [(52.0, "2.5 x, met"), (47.0, "2.5 x, **missed**")])
def test_a_bar_is_met_or_missed_by_the_median(rate: float, said: str) -> None:
    cells = [Cell(name, 200, 0, repeat) for name in ("article", "helm", "ours") for repeat in (1, 2, 3)]
    rates = {"article": 18.0, "helm": 25.0, "ours": rate - 2}
    lines = verdicts([run(cell, rates[cell.stack]) for cell in cells], MATRIX)
    assert said in lines


def test_a_stack_that_is_slower_than_the_chart_is_named() -> None:
    cells = [Cell(name, 200, 5, 1) for name in ("article", "helm", "ours")]
    rates = {"article": 10.0, "helm": 70.0, "ours": 65.0}
    assert "0.93 x, **missed**" in verdicts([run(cell, rates[cell.stack]) for cell in cells], MATRIX)


def test_what_was_not_run_is_left_empty() -> None:
    found = page([run(Cell("ours", 200, 0, 1))], MATRIX, "2 vCPU", 512)
    assert f"1 of {len(MATRIX.cells)} runs" in found
    assert found.count("Not run.") == 3  # 50 clients, server and worker apart, 20 minutes
    assert "Not run: ours, lib/pq, 4 shards." in found
