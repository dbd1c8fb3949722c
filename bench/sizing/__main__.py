"""Measure what our sizing brings, and write docs/benchmarks/sizing.md: python -m bench.sizing.

Runs that stand in the results with today's settings are not made again, so it may be stopped at any time.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil

from bench.sizing import cells, changes, results
from bench.sizing.measure import measure
from bench.sizing.others import ARTICLE_WORKER, article, helm
from bench.sizing.ours import Shape, our_worker, ours
from bench.sizing.page import page
from bench.sizing.postgres import Place, version
from bench.sizing.server import Stack
from bench.sizing.stack import Programs
from lab import golang
from lab.errors import LabError
from lab.paths import CHECKOUT, LAB, Home
from lab.steps import Steps

GIB = 1024**3
PLACE = Path("/var/tmp/tempo-infra-bench")  # noqa: S108  # on a disk, and PostgreSQL's own user must get there
PAGE = CHECKOUT / "docs" / "benchmarks" / "sizing.md"
RESULTS = PAGE.with_suffix(".jsonl")
NOT_DONE = 4
MATRIX = cells.Matrix(tuple(changes.CHANGES))
WORKER_GIB = 4


def shape() -> Shape:
    """This machine, as `tempo-infra inventory measure` would write it."""
    disk = psutil.disk_usage(str(PLACE.parent)).total // GIB
    return Shape(os.cpu_count() or 1, psutil.virtual_memory().total // GIB, disk, version())


def stacks() -> dict[str, Stack]:
    """Every stack that a cell names."""
    at = shape()
    mine, their_worker = our_worker(at.vcpu, WORKER_GIB * GIB), ARTICLE_WORKER
    full = Stack("ours", ours(at, eager=True), mine)
    found = [
        full,
        Stack("article", article(), their_worker),
        Stack("helm", helm(), their_worker),
        Stack("ours, no eager", ours(at, eager=False), mine),
        Stack("ours, article's worker", full.server, their_worker),
        Stack("article, our worker", article(), mine),
    ]
    found += [replace(change(full), name=name) for name, change in changes.CHANGES.items()]
    return {stack.name: stack for stack in found}


def programs(home: Home, steps: Steps) -> tuple[Place, Programs]:
    """Build what is not in the lab's cache, and make the place on the disk."""
    with steps.step("Temporal's server") as step:
        golang.build(home, step)
    with steps.step("load generator") as step:
        loadgen = golang.build_own(home, LAB / "loadgen")
    binaries = golang.folder(home, golang.SERVER)
    PLACE.mkdir(exist_ok=True, mode=0o711)
    place = Place(PLACE, binaries / "temporal-sql-tool")
    return place, Programs(binaries / "temporal-server", loadgen)


def run(path: Path, until: float, *, long: bool) -> bool:
    """Make the runs that are missing; False when time was up before the last one."""
    steps = Steps()
    place, at = programs(Home.locate(), steps)
    known = stacks()
    settings = {name: results.fingerprint(stack, machine()) for name, stack in known.items()}
    asked = [MATRIX.long] if long else MATRIX.cells
    wanted = results.left(asked, results.current(results.read(path), settings))
    steps.line(f"{len(wanted)} runs left, about {cells.estimate_s(wanted) / 60:.0f} min")
    for cell in wanted:
        if time.monotonic() + cells.estimate_s([cell]) > until:
            return False
        figures = measure(place, at, known[cell.stack], cell)
        results.append(path, results.Run(cell, settings[cell.stack], figures))
        steps.line(
            f"{cell.stack:30} {cell.clients:3} clients {cell.delay_ms} ms #{cell.repeat}:"
            f" {figures['workflows_s']} workflows/s, p99 {figures['p99_ms']} ms, {figures['errors']} errors"
        )
    return True


def write_page(path: Path) -> None:
    settings = {name: results.fingerprint(stack, machine()) for name, stack in stacks().items()}
    found = results.current(results.read(path), settings)
    PAGE.write_text(page(found, MATRIX, machine(), shape().shards))


def machine() -> str:
    """What it ran on, in a line."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line), "?")
    memory = psutil.virtual_memory().total / GIB
    server = golang.SERVER.version.removeprefix("v")
    return (
        f"{os.cpu_count()} vCPU ({model}), {memory:.0f} GiB, Linux {os.uname().release},"
        f" Temporal {server}, PostgreSQL {version()}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where runs are kept")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no run that ends later")
    parser.add_argument("--long", action="store_true", help="only the run of 20 minutes")
    parser.add_argument("--page", action="store_true", help="only write the page")
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(NOT_DONE))  # so that what was started is ended
    try:
        done = words.page or run(words.results, time.monotonic() + words.seconds, long=words.long)
        if done:
            write_page(words.results)
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0 if done else NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
