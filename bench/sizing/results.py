"""What was measured, a run a line, in a file that grows: a run that stands there is not made again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.sizing.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bench.sizing.server import Stack


QUIET = 0.5  # cores that other programs may take meanwhile
BESIDE_OTHERS_S = 600  # a run as long as this is not about speed


@dataclass(frozen=True)
class Run:
    """One measured cell; `settings` names what the stack was made of."""

    cell: Cell
    settings: str
    figures: Mapping[str, Any]

    @property
    def key(self) -> tuple[object, ...]:
        return (*self.cell.key, self.settings)


def fingerprint(stack: Stack, machine: str) -> str:
    """Name the settings of a stack and the machine: when one changes, its runs are made again."""
    return hashlib.sha256(f"{json.dumps(asdict(stack), sort_keys=True)} {machine}".encode()).hexdigest()[:12]


def read(path: Path) -> list[Run]:
    """Every whole line; one that was cut off by a power cut is passed over."""
    if not path.exists():
        return []
    return [parse(line) for line in path.read_text().splitlines() if line.endswith("}")]


def parse(line: str) -> Run:
    found = json.loads(line)
    return Run(Cell(**found["cell"]), found["settings"], found["figures"])


def write(run: Run) -> str:
    return json.dumps({"cell": asdict(run.cell), "settings": run.settings, "figures": dict(run.figures)})


def append(path: Path, run: Run) -> None:
    with path.open("a") as file:
        file.write(write(run) + "\n")


def current(runs: Iterable[Run], settings: Mapping[str, str]) -> list[Run]:
    """Those of today's settings that had the machine to themselves; the others are made again."""
    return [
        run
        for run in runs
        if settings.get(run.cell.stack) == run.settings
        and (run.cell.measured_s >= BESIDE_OTHERS_S or run.figures["foreign_cores"] <= QUIET)
    ]


def left(cells: Iterable[Cell], runs: Iterable[Run]) -> list[Cell]:
    """What is still to be run."""
    done = {run.cell.key for run in runs}
    return [cell for cell in cells if cell.key not in done]
