from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tempo_infra.errors import HostKeyError, UnreachableError
from tempo_infra.ssh import fan_out
from tempo_infra.ssh.retry import (
    HUNG_UP_PAUSES_S,
    LOGINS_AT_ONCE,
    REFUSED_PAUSES_S,
    HungUpError,
    RefusedError,
    retried,
)


def failing(times: int, error: UnreachableError) -> Callable[[], str]:
    left = [times]

    def log_in() -> str:
        if left[0]:
            left[0] -= 1
            raise error
        return "in"

    return log_in


def test_a_door_that_was_shut_is_knocked_at_again_after_growing_pauses() -> None:
    slept: list[float] = []
    assert retried("a", failing(4, HungUpError("closed")), sleep=slept.append) == "in"
    assert len(slept) == 4
    for pause, base in zip(slept, HUNG_UP_PAUSES_S, strict=False):
        assert 0.5 * base <= pause <= 1.5 * base


@pytest.mark.parametrize(
    ("error", "pauses"), [(HungUpError("closed"), HUNG_UP_PAUSES_S), (RefusedError("no"), REFUSED_PAUSES_S)]
)
def test_patience_ends_and_says_how_often_it_was_tried(
    error: UnreachableError, pauses: tuple[float, ...]
) -> None:
    slept: list[float] = []
    with pytest.raises(UnreachableError, match=rf"\({len(pauses) + 1} tries\)"):
        retried("b", failing(99, error), sleep=slept.append)
    assert len(slept) == len(pauses)


@pytest.mark.parametrize("error", [UnreachableError("timed out"), HostKeyError("changed")])
def test_other_failures_are_not_tried_again(error: UnreachableError) -> None:
    slept: list[float] = []
    with pytest.raises(type(error)):
        retried("c", failing(1, error), sleep=slept.append)
    assert slept == []


def test_pauses_differ_from_host_to_host() -> None:
    slept: list[float] = []
    for _ in range(20):
        retried("d", failing(1, HungUpError("closed")), sleep=slept.append)
    assert len({round(pause, 6) for pause in slept}) > 10


def test_few_log_in_at_one_door_at_once_and_other_doors_do_not_wait() -> None:
    guard, inside, most = threading.Lock(), {"x": 0, "y": 0}, {"x": 0, "y": 0}

    def log_in(door: str) -> None:
        with guard:
            inside[door] += 1
            most[door] = max(most[door], inside[door])
        time.sleep(0.02)
        with guard:
            inside[door] -= 1

    def work(number: int) -> None:
        door = "x" if number % 2 else "y"
        retried(door, lambda: log_in(door))

    fan_out(work, range(60), at_once=60)
    assert most["x"] == most["y"] == LOGINS_AT_ONCE
