"""How fast the machine is at the moment: a fixed piece of work, in CPU time.

A virtual machine's neighbours slow it by half within minutes, and no counter of its own shows that.
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass, field

CELLS = 400_000  # larger than the caches nearest to the core, as the servers' heaps are
STEPS = 12_000


def _ring() -> list[int]:
    """One long way through all cells, each naming the next one."""
    order = list(range(CELLS))
    random.Random(4).shuffle(order)  # noqa: S311  # always the same way
    ring = [0] * CELLS
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        ring[here] = there
    return ring


@dataclass
class Pace:
    """Milliseconds of CPU for the fixed work, asked now and then."""

    ring: list[int] = field(default_factory=_ring)
    found_ms: list[float] = field(default_factory=list)
    at: int = 0

    def ask(self) -> None:
        begun, here = time.thread_time(), self.at
        for _ in range(STEPS):
            here = self.ring[here]
        self.at = here
        self.found_ms.append(1000 * (time.thread_time() - begun))

    @property
    def median_ms(self) -> float:
        return statistics.median(self.found_ms) if self.found_ms else 0.0
