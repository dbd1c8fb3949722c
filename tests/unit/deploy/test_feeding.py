"""The way of an archive to a host: it goes on where it was cut, has an end, and believes no host."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.archives import Packing, Parcel, Saved
from tempo_infra.deploy import feeding
from tempo_infra.deploy.events import Progress, State
from tempo_infra.deploy.feeding import Feed, requests
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.on_host.steps import change
from tests.unit.archives.images import postgres

NAME = "postgres:17-0a0a0a0a0a0a"


class Host:
    """A host that keeps what it is sent; `says` makes what it answers of what it should."""

    host = "db-1"

    def __init__(self, have: int = 0, says: Callable[[Any], Any] = lambda have: {"have": have}) -> None:
        self.data, self.says = bytearray(have), says
        self.steps: list[str] = []
        self.deadlines: list[float] = []
        self.cut_at = math.inf

    def call(self, steps: list[Any], *_: object, deadline_s: float = math.inf) -> list[object]:
        [step] = steps
        self.steps.append(step.name)
        self.deadlines.append(deadline_s)
        if len(self.data) >= self.cut_at:
            raise UnreachableError("the connection was lost", host=self.host)
        if isinstance(step, change.Load):
            return [{"images": list(step.contents)}]
        if isinstance(step, change.Piece):
            assert step.offset == len(self.data)
            self.data += step.payload
        return [self.says(len(self.data))]


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parcel]:
    monkeypatch.setattr(feeding, "PIECE_BYTES", 500)
    path, _ = postgres(tmp_path / "x.tar")
    with Saved(path) as saved, closing(Packing()) as packing:
        yield packing.parcel({NAME: saved.images[0]})


def give(parcel: Parcel, host: Host, stopped: Callable[[], bool] = lambda: False) -> list[Progress]:
    told: list[Progress] = []
    Feed(parcel, stopped).give(host, told.append)  # type: ignore[arg-type]
    return told


def test_all_of_it_comes_in_order_and_is_loaded(parcel: Parcel) -> None:
    host = Host()
    told = give(parcel, host)
    assert bytes(host.data) == parcel.read(0, parcel.length)
    pieces = -(-parcel.length // 500)
    assert host.steps == ["receive", *["piece"] * pieces, "load"]
    assert [one.state for one in told if one.state is not State.PROGRESS] == [State.STARTED, State.DONE]
    assert told[-1].detail == "1, 1 MiB"


def test_a_cut_link_is_gone_on_from_by_the_next_run(parcel: Parcel) -> None:
    host = Host()
    host.cut_at = 1000
    with pytest.raises(UnreachableError, match="the connection was lost"):
        give(parcel, host)
    assert len(host.data) == 1000
    host.cut_at, host.steps = math.inf, []
    told = give(parcel, host)
    assert bytes(host.data) == parcel.read(0, parcel.length)
    assert host.steps.count("piece") == -(-(parcel.length - 1000) // 500)
    assert told[1].detail == "1 MiB of 1 MiB are there already"


def test_what_is_there_is_not_sent_again(parcel: Parcel) -> None:
    host = Host(have=parcel.length)
    give(parcel, host)
    assert host.steps == ["receive", "load"]


@pytest.mark.parametrize(
    "says",
    [
        lambda _: None,
        lambda _: {"have": -1},
        lambda _: {"have": 10**12},
        lambda _: {"have": True},
        lambda _: {"have": "7"},
        lambda _: {"have": 1.5},
        lambda _: {"have": 0},  # it takes pieces for ever
        lambda have: {"have": have - 1 if have else 0},
    ],
)
def test_a_host_that_says_nonsense_is_given_up(says: Callable[[Any], Any], parcel: Parcel) -> None:
    host = Host(says=says)
    with pytest.raises(UnreachableError, match="makes no sense"):
        give(parcel, host)
    assert len(host.steps) <= 2


def test_it_has_an_end_by_its_size_and_unpacking_another(parcel: Parcel) -> None:
    host = Host()
    give(parcel, host)
    *sending, loading = host.deadlines
    longest_s = feeding.AT_LEAST_S + parcel.length / feeding.SLOWEST_BYTES_S
    assert 0 < sending[-1] <= sending[0] <= longest_s
    assert loading == math.inf  # the step has its own
    step = change.Load("0" * 64, {}, 100.0)
    assert step.longest_s == change.Load.MOST_S + 200.0


def test_an_operator_who_stops_it_does_not_wait_for_the_rest(parcel: Parcel) -> None:
    host = Host()
    with pytest.raises(StepFailedError, match="stopped by the operator"):
        give(parcel, host, stopped=lambda: len(host.data) >= 1000)
    assert len(host.data) == 1000


def test_what_a_host_does_is_split_where_something_is_fed(parcel: Parcel) -> None:
    feed = Feed(parcel, lambda: False)
    first, second, third = change.Unlock(), change.Bootstrap(), change.BeforeOurs()
    assert requests([first, second, feed, third]) == [[first, second], feed, [third]]
    assert requests([feed]) == [feed]
    assert requests([]) == []


def test_how_far_it_is_and_how_long_it_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    said: list[str] = []
    tell = feeding._Tell(100 << 20, said.append)
    tell.begin(20 << 20)
    now[0] = 110.0
    tell.at(24 << 20)  # 4 MiB in 10 s: 76 are left
    now[0] = 111.0
    tell.at(25 << 20)  # too soon to say anything
    now[0] = 112.0
    tell.at(60 << 20)  # 40 MiB in 12 s
    assert said == [
        "20 MiB of 100 MiB are there already",
        "24 of 100 MiB, 3 min left",
        "60 of 100 MiB, 12 s left",
    ]
