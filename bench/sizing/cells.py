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
    warmup_s: int = 6

    @property
    def key(self) -> tuple[str, int, int, int, int]:
        """Names a run among the results, so that it is not made twice."""
        return (self.stack, self.clients, self.delay_ms, self.repeat, self.measured_s)


OVERHEAD_S = 11.0  # of a run: database, services, history's first seconds


@dataclass(frozen=True)
class Matrix:
    """All cells. `changed` are the stacks that are ours with one thing changed."""

    changed: tuple[str, ...]
    main: tuple[str, ...] = ("article", "helm", "ours")
    split: tuple[str, ...] = ("article, our worker", "ours, article's worker", "ours, no eager")
    delays_ms: tuple[int, ...] = (0, 2, 5)
    changed_delays_ms: tuple[int, ...] = (0, 5)
    full_s: int = 30
    half_s: int = 20  # with 50 clients, and where server and worker are told apart
    short_s: int = 12
    warmup_s: int = 6
    long_s: int = 1200

    @property
    def cells(self) -> list[Cell]:
        """Every run but the long one, the most telling first."""
        return [
            *interleaved(self.main, 200, self.delays_ms, 3, self.full_s),
            *interleaved(("ours", *self.changed), 200, self.changed_delays_ms, 1, self.short_s),
            *interleaved(self.split, 200, self.delays_ms, 1, self.half_s),
            *interleaved(self.main, 50, self.delays_ms, 2, self.half_s),
            *interleaved(("ours", *self.changed), 200, self.changed_delays_ms, 2, self.short_s)[
                2 * (1 + len(self.changed)) :
            ],
        ]

    @property
    def long(self) -> Cell:
        """What only time shows: checkpoints, WAL, dead rows."""
        return Cell("ours", 50, 0, 1, self.long_s)


def interleaved(
    stacks: tuple[str, ...], clients: int, delays_ms: tuple[int, ...], repeats: int, measured_s: int
) -> list[Cell]:
    """Each repeat goes once through all stacks, so that a noisy minute hits no stack alone."""
    return [
        Cell(stack, clients, delay_ms, repeat, measured_s)
        for repeat in range(1, repeats + 1)
        for delay_ms in delays_ms
        for stack in stacks
    ]


def estimate_s(cells: list[Cell]) -> float:
    return sum(cell.warmup_s + cell.measured_s + OVERHEAD_S for cell in cells)
