"""Runs: their order, what is left of them, what a run cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.sizing import cells, counters, results
from bench.sizing.cells import Cell, Matrix
from bench.sizing.changes import CHANGES
from bench.sizing.counters import NOW, SINCE_START
from bench.sizing.measure import Look, differences
from bench.sizing.results import Run

if TYPE_CHECKING:
    from pathlib import Path

CELL = Cell("ours", 200, 5, 1)


def test_repeats_go_through_all_stacks_before_the_next() -> None:
    found = cells.interleaved(("a", "b"), 50, (0, 5), 2, 30)
    assert [(cell.stack, cell.delay_ms, cell.repeat) for cell in found] == [
        *(("a", 0, 1), ("b", 0, 1), ("a", 5, 1), ("b", 5, 1)),
        *(("a", 0, 2), ("b", 0, 2), ("a", 5, 2), ("b", 5, 2)),
    ]


def test_the_matrix_names_each_run_once_and_fits_ninety_minutes() -> None:
    found = Matrix(("x", "y", "z")).cells
    assert len({cell.key for cell in found}) == len(found)
    assert cells.estimate_s(Matrix(tuple(CHANGES)).cells) < 90 * 60
    for stack in ("article", "helm", "ours"):
        for delay_ms in (0, 2, 5):
            main = [
                cell for cell in found if (cell.stack, cell.clients, cell.delay_ms) == (stack, 200, delay_ms)
            ]
            assert len([cell for cell in main if cell.measured_s >= 30]) == 3


def test_runs_are_read_as_they_were_written_and_a_cut_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    run = Run(CELL, "abc", {"workflows_s": 70.1, "sample": 'it said "no"'})
    results.append(path, run)
    with path.open("a") as file:
        file.write(results.write(run)[:40])
    assert results.read(path) == [run]
    assert results.read(tmp_path / "none.jsonl") == []


def test_only_runs_of_these_settings_count_and_what_is_left_is_the_rest() -> None:
    quiet = {"foreign_cores": 0.2}
    old, new = Run(CELL, "old", quiet), Run(CELL, "new", quiet)
    assert results.current([old, new], {"ours": "new"}) == [new]
    disturbed = Run(CELL, "new", {"foreign_cores": 0.6})
    assert results.current([disturbed], {"ours": "new"}) == []
    long = replace(disturbed, cell=replace(CELL, measured_s=1200))
    assert results.current([long], {"ours": "new"}) == [long]
    other = Cell("ours", 200, 5, 2)
    assert results.left([CELL, other], [new]) == [other]
    assert results.left([CELL, other], []) == [CELL, other]


def test_a_run_costs_the_difference_of_two_looks() -> None:
    begun = Look(
        dict.fromkeys(("server", "postgresql", "worker", "driver", "bench"), 1.0),
        10,
        0,
        dict.fromkeys((*SINCE_START, *NOW), 0),
    )
    ended = Look(
        {"server": 11.0, "postgresql": 6.0, "worker": 2.0, "driver": 1.5, "bench": 1.1},
        30,
        0.5,
        {
            "wal_bytes": 1024.0 * 100 * 500,
            "wal_flushes": 1000,
            "wal_images": 250,
            "transactions": 20_000,
            "checkpoints": 1,
            "requested_checkpoints": 0,
            "dead_rows": 7,
            "database_mib": 90,
        },
    )
    found = differences(begun, ended, {"completed": 500, "seconds": 10.0})
    assert found["workflows_s"] == 50
    assert found["server_cpu_ms"] == pytest.approx(20)
    assert found["driver_cpu_ms"] == pytest.approx(1)
    assert found["busy_cores"] == 2
    assert found["foreign_cores"] == pytest.approx((20 - 16.6) / 10)
    assert found["steal_cores"] == pytest.approx(0.05)
    assert found["wal_kib"] == 100
    assert found["transactions"] == 40
    assert found["transactions_flush"] == 20
    assert found["dead_rows"] == 7
    assert "bench_cpu_ms" not in found


@pytest.mark.parametrize(
    ("version", "view"), [(15, "pg_stat_bgwriter"), (17, "pg_stat_checkpointer"), (18, "pg_stat_io")]
)
def test_counters_are_asked_where_a_version_keeps_them(version: int, view: str) -> None:
    asked = counters.query(version)
    assert view in asked
    assert ("pg_stat_bgwriter" in asked) == (version < 17)
    assert all(f"'{name}'" in asked for name in (*SINCE_START, *NOW))
