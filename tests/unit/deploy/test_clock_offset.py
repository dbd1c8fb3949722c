"""The offset of a host's clock: the fastest answer counts, and a host that was held up is asked again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tempo_infra.deploy.facts import CLOCK_MOST_ROUNDS, CLOCK_ROUNDS, best_offset

MS = 1_000_000


def clocks(
    round_trips_ms: list[int], ahead_ms: int
) -> tuple[Callable[[], int], Callable[[], int], list[int]]:
    """A controller's clock and a host that answers half a round trip later, by a clock that is ahead."""
    now, asked = [0], [0]

    def ask() -> int:
        half = round_trips_ms[min(asked[0], len(round_trips_ms) - 1)] * MS // 2
        asked[0] += 1
        now[0] += half
        theirs = now[0] + ahead_ms * MS
        now[0] += half
        return theirs

    return ask, lambda: now[0], asked


@pytest.mark.parametrize(
    ("round_trips_ms", "rounds"),
    [
        ([30], CLOCK_ROUNDS),
        ([400] * 7 + [30], CLOCK_ROUNDS),
        ([400] * 20 + [30], 21),
        ([400], CLOCK_MOST_ROUNDS),
    ],
)
def test_it_asks_until_one_answer_came_quickly(round_trips_ms: list[int], rounds: int) -> None:
    ask, now, asked = clocks(round_trips_ms, 250)
    offset_ms, round_trip_ms = best_offset(ask, CLOCK_ROUNDS, now)
    assert asked == [rounds]
    assert offset_ms == 250
    assert round_trip_ms == min(round_trips_ms)
