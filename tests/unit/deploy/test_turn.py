"""A host's time at work ends for who waits, whatever it says meanwhile: a clock of its own, no waiting."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tempo_infra.deploy import turn
from tempo_infra.deploy.session import Session
from tempo_infra.deploy.turn import MARGIN_S, READ_S, LateError, Turn
from tempo_infra.errors import UnreachableError
from tempo_infra.on_host.steps import change, reading
from tempo_infra.on_host.steps.step import UNDO_S
from tempo_infra.on_host.wire import Event, encode
from tempo_infra.ssh import deadline
from tests.unit.deploy.test_hostile_hosts import NONCE, Says

STEPS = [
    change.Switch("", {}),
    change.Sql(database="a"),
    change.Sql(database="b"),
    change.Confirm("r", "", soak_s=9.0),
]
INFINITE = float("inf")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(turn, "time", SimpleNamespace(monotonic=made))
    return made


def late_after(turn: Turn, clock: Clock) -> float:
    """Let the clock run until there is no time left; the seconds."""
    began = clock.now
    while clock.now < began + 10**6:
        clock.now += 1.0
        if is_late(turn):
            return clock.now - began
    raise AssertionError("there is always time left")


def is_late(turn: Turn) -> bool:
    try:
        turn.check()
    except LateError:
        return True
    return False


def began(step: str) -> Event:
    return Event(step, "started")


def test_a_step_has_its_own_time_and_a_margin(clock: Clock) -> None:
    found = late_after(Turn(STEPS, INFINITE), clock)
    assert found == pytest.approx(STEPS[0].longest_s + MARGIN_S + READ_S, abs=3)


def test_the_message_names_the_step_that_it_is_in(clock: Clock) -> None:
    one = Turn(STEPS, INFINITE)
    for name in ("switch", "sql"):
        one.heard(began(name))
    clock.now += 10_000
    one.check()  # what has come meanwhile is read first: the operator's program may have stood still
    clock.now += READ_S + 0.1
    with pytest.raises(LateError, match=f"sql: not done after {change.Sql().longest_s:g} s") as caught:
        one.check()
    assert "decides by itself" in caught.value.remedy


def test_each_step_that_begins_brings_its_time_once(clock: Clock) -> None:
    one = Turn(STEPS, INFINITE)
    for step in STEPS:
        clock.now += step.longest_s
        one.check()
        one.heard(began(step.name))
    assert late_after(one, clock) == pytest.approx(STEPS[-1].longest_s + MARGIN_S, abs=5)


@pytest.mark.parametrize("said", ["started", "ended", "progress", "alive", "failed"])
def test_saying_the_same_for_ever_ends(clock: Clock, said: str) -> None:
    """Steps that begin again, go back, or fail again bring no more time than the list of them has."""
    one, names = Turn(STEPS, INFINITE), itertools.cycle([*(step.name for step in STEPS), "x", "rollback"])
    most_s = sum(step.longest_s + MARGIN_S for step in STEPS) + UNDO_S + MARGIN_S + READ_S
    start = clock.now
    while not is_late(one):
        clock.now += 1.0
        one.heard(Event(next(names), said))
    assert clock.now - start <= most_s + 3


def test_a_failed_step_is_undone_in_its_time(clock: Clock) -> None:
    one = Turn(STEPS, INFINITE)
    one.heard(began("switch"))
    one.heard(Event("switch", "failed", "no"))
    assert late_after(one, clock) == pytest.approx(UNDO_S + MARGIN_S + READ_S, abs=3)


def test_a_deadline_of_all_together_comes_first(clock: Clock) -> None:
    one = Turn(STEPS, 5.0)
    clock.now += 5.1
    one.check()
    clock.now += READ_S + 0.1
    with pytest.raises(LateError, match="switch: not done after 5 s"):
        one.check()


def test_a_large_answer_on_a_slow_link_has_more_time_once(clock: Clock) -> None:
    one = Turn(STEPS, INFINITE)
    for _ in range(100):
        one.answers(64 << 20)
    assert late_after(one, clock) == pytest.approx(STEPS[0].longest_s + MARGIN_S + 900 + READ_S, abs=3)


DRIPPING = {
    "signs of life": encode(NONCE, "event", {"step": "sql", "state": "alive"}),
    "empty lines": b"\n",
    "a line without an end": b"x",
    "an answer that never is whole": b"x",
}


@pytest.mark.parametrize("kind", DRIPPING)
def test_a_host_that_says_a_little_now_and_then_is_not_waited_for(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Each within the time after which a silent host is given up."""
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=clock))

    def said() -> Iterator[bytes]:
        if kind == "an answer that never is whole":
            yield f"\x01tempo-infra {NONCE} reply 200000 0\n".encode()
        while True:
            clock.now += 20.0
            yield DRIPPING[kind]

    start = clock.now
    with pytest.raises(UnreachableError, match=f"sql: not done after {change.Sql().longest_s:g} s") as caught:
        Session("db-1", Says(said()), NONCE).call([change.Sql()])
    assert caught.value.host == "db-1"
    assert clock.now - start < 150 + MARGIN_S + READ_S + 900 + 50


def test_a_step_that_the_host_has_left_is_a_host_that_decides_by_itself() -> None:
    body = {"results": [], "failed": "up", "error": "not done after 660 s: …", "remedy": "see dmesg"}
    with pytest.raises(UnreachableError, match="up: not done after 660 s") as caught:
        Session("db-1", Says(iter([encode(NONCE, "reply", {**body, "left": True})])), NONCE).call(
            [change.Up([])]
        )
    assert (caught.value.remedy, caught.value.host) == ("see dmesg", "db-1")


def test_what_is_sent_has_an_end_that_no_size_puts_far_off(clock: Clock) -> None:
    limits = []
    for count in (100, 50_000, 10**9):
        with Turn([reading.Clock()], INFINITE).sending(count) as seconds:
            limits.append(seconds)
    assert limits == [turn.SEND_S + 0.2, turn.SEND_S + 100, turn.SEND_S + turn.LONGEST_ANSWER_S]


def test_a_call_that_has_its_own_end_sends_no_longer_than_that(clock: Clock) -> None:
    mine = Turn([reading.Clock()], 30.0)
    clock.now += 20
    with mine.sending(10**9) as seconds:
        assert seconds == 10
    clock.now += 20
    with mine.sending(1) as seconds:
        assert seconds == 0


def test_a_program_that_is_sent_on_a_slow_link_takes_nothing_of_the_steps_time(clock: Clock) -> None:
    plain, sent = Turn([reading.Clock()], INFINITE), Turn([reading.Clock()], INFINITE)
    expected = late_after(plain, clock)
    clock.now = 1000.0
    with sent.sending(300_000):
        clock.now += 500
    assert late_after(sent, clock) == expected


def test_a_host_that_does_not_take_a_request_has_the_calls_time_and_no_more() -> None:
    given: list[float] = []

    class Takes(Says):
        def send(self, data: bytes, *, deadline_s: float) -> None:
            del data
            given.append(deadline_s)
            raise UnreachableError("sending failed: not done", host="db-1")

    with pytest.raises(UnreachableError, match="unreachable: clock: sending failed"):
        Session("db-1", Takes(iter(())), NONCE).call([reading.Clock()], deadline_s=7.0)
    assert given == [pytest.approx(7.0, abs=0.5)]
