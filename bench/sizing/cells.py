"""The cells of the matrix, as data: which stacks, how many clients, how slow a disk, how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One run: a stack under so many clients, with so much added to every flush."""

    stack: str
    clients: int
    delay_ms: int
    repeat: int
    measured_s: int = 30
    warmup_s: int = 10

    @property
    def key(self) -> tuple[str, int, int, int, int]:
        """Names a run among the results, so that it is not made twice."""
        return (self.stack, self.clients, self.delay_ms, self.repeat, self.measured_s)


MAIN = ("article", "helm", "ours")
SPLIT = ("ours, no eager", "ours, article's worker", "article, our worker")
DELAYS_MS = (0, 2, 5)
ALONE_DELAYS_MS = (0, 5)
OVERHEAD_S = 22.0  # of a run: database, services, ending


def interleaved(
    stacks: tuple[str, ...], clients: int, delays_ms: tuple[int, ...], repeats: int, measured_s: int = 30
) -> list[Cell]:
    """Each repeat goes once through all stacks, so that a noisy minute hits no stack alone."""
    return [
        Cell(stack, clients, delay_ms, repeat, measured_s)
        for repeat in range(1, repeats + 1)
        for delay_ms in delays_ms
        for stack in stacks
    ]


def matrix(left_out: tuple[str, ...]) -> list[Cell]:
    """Every run, the most telling first."""
    return [
        *interleaved(MAIN, 200, DELAYS_MS, 3),
        *interleaved(SPLIT, 200, DELAYS_MS, 2),
        *interleaved(MAIN, 50, DELAYS_MS, 2),
        *interleaved(("ours", *left_out), 200, ALONE_DELAYS_MS, 2, 15),
    ]


def estimate_s(cells: list[Cell]) -> float:
    return sum(cell.warmup_s + cell.measured_s + OVERHEAD_S for cell in cells)
