"""Sessions to hosts: opened when they are first asked for or ahead of that, ended together or one by one."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy import fleet as fleet_module
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.errors import UnreachableError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Host
from tempo_infra.on_host.steps import change, reading, upkeep
from tempo_infra.on_host.steps.step import Step

CLUSTER = load(Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml")
FRONT, DATABASE = CLUSTER.host("front-1"), CLUSTER.host("db-1")
Opener = Callable[[Host], contextlib.AbstractContextManager[Any]]


def opener(seen: list[str], *, lost: bool = False) -> Opener:
    @contextlib.contextmanager
    def opened(host: Host) -> Iterator[object]:
        seen.append(f"open {host.name}")
        yield object()
        seen.append(f"end {host.name}")
        if lost:
            raise UnreachableError("the connection was lost", host=host.name)

    return opened


def test_a_session_is_opened_once_and_all_are_ended_together() -> None:
    seen: list[str] = []
    with Fleet(opener(seen), lambda _: None) as fleet:
        assert fleet.session(FRONT) is fleet.session(FRONT)
        fleet.session(DATABASE)
    assert seen == ["open front-1", "open db-1", "end db-1", "end front-1"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_host_that_is_opened_again_was_let_go_of_before(*, lost: bool) -> None:
    """Its program would keep the lock; where a reboot has ended it, ending it again is no error."""
    seen: list[str] = []
    with contextlib.suppress(UnreachableError), Fleet(opener(seen, lost=lost), lambda _: None) as fleet:
        first = fleet.session(FRONT)
        assert fleet.reopen(FRONT) is not first
        assert seen == ["open front-1", "end front-1", "open front-1"]
    assert seen[3:] == ["end front-1"]


def test_a_host_that_waits_for_others_is_told_that_its_operator_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = threading.Semaphore(0)

    class Waits:
        def ping(self) -> None:
            heard.release()

    monkeypatch.setattr(fleet_module, "ALIVE_EVERY_S", 0.01)
    idle: Any = Waits()
    with Fleet(lambda _: contextlib.nullcontext(idle), lambda _: None) as fleet:
        fleet.session(FRONT)
        assert all(heard.acquire(timeout=10) for _ in range(3))


def test_a_host_that_takes_no_sign_of_life_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, over = threading.Semaphore(0), threading.Event()

    class Hears:
        def ping(self) -> None:
            heard.release()

    class Hangs:
        def ping(self) -> None:
            over.wait(20)

    kinds: dict[str, Any] = {DATABASE.name: Hangs(), FRONT.name: Hears()}
    monkeypatch.setattr(fleet_module, "ALIVE_EVERY_S", 0.01)
    with Fleet(lambda host: contextlib.nullcontext(kinds[host.name]), lambda _: None) as fleet:
        fleet.session(DATABASE)
        fleet.session(FRONT)
        assert all(heard.acquire(timeout=5) for _ in range(5))
    over.set()


def test_a_session_that_has_ended_is_told_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    after: list[bool] = []

    class Ends:
        def ping(self) -> None:
            after.append(ended.is_set())

    monkeypatch.setattr(fleet_module, "ALIVE_EVERY_S", 0.01)
    one: Any = Ends()
    with Fleet(lambda _: contextlib.nullcontext(one), lambda _: None) as fleet:
        fleet.session(FRONT)
        fleet.reopen(FRONT)
    time.sleep(0.1)  # a ping that had begun before ends
    ended.set()
    time.sleep(0.2)
    assert True not in after


class Doors:
    """Hosts that open when they may; one of them never does."""

    def __init__(self) -> None:
        self.may_open = threading.Event()
        self.opened: list[str] = []
        self.closed: list[str] = []

    @contextlib.contextmanager
    def open(self, host: Host) -> Iterator[Any]:
        assert self.may_open.wait(10)
        self.opened.append(host.name)
        if host.name == "db-1":
            raise UnreachableError("no route", host=host.name)
        yield host.name
        self.closed.append(host.name)


def test_who_asks_for_a_session_waits_for_the_one_that_is_being_opened() -> None:
    doors = Doors()
    with Fleet(doors.open, lambda _: None) as fleet:
        fleet.reach(CLUSTER.hosts)
        assert doors.opened == []
        doors.may_open.set()
        answers, errors = fleet.each(CLUSTER.hosts, fleet.session)
        assert sorted(answers) == ["front-1", "history-1"]
        assert {name: error.what for name, error in errors.items()} == {"db-1": "no route"}
        assert fleet.session(FRONT) == answers[FRONT.name]
        assert sorted(doors.opened) == sorted(host.name for host in CLUSTER.hosts)
    assert sorted(doors.closed) == ["front-1", "history-1"]


def test_a_host_that_could_not_be_reached_is_tried_again_when_asked_for_again() -> None:
    doors = Doors()
    doors.may_open.set()
    with Fleet(doors.open, lambda _: None) as fleet:
        fleet.reach([DATABASE])
        for _ in range(2):
            with pytest.raises(UnreachableError):
                fleet.session(DATABASE)
    assert doors.opened == ["db-1", "db-1"]


def test_sessions_that_nobody_asked_for_are_closed() -> None:
    doors = Doors()

    def rendering_fails() -> None:
        with Fleet(doors.open, lambda _: None) as fleet:
            fleet.reach(CLUSTER.hosts)
            doors.may_open.set()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rendering_fails()
    assert sorted(doors.closed) == sorted({*doors.opened} - {"db-1"})


LOOKS: list[Step] = [change.Lock("r1", "x@y", 0.0), change.Unlock(), reading.Runs(), reading.BootId()]


@pytest.mark.parametrize(
    ("step", "begun"), [*((one, False) for one in LOOKS), (upkeep.Remove("r1", "oslo"), True)], ids=str
)
def test_it_is_known_before_a_host_hears_of_it_that_something_is_changed(step: Step, *, begun: bool) -> None:
    """Until then Ctrl-C ends a command at once; a host without a session is told nothing."""
    seen: list[bool] = []

    class Told:
        def call(self, *_: object) -> list[object]:
            seen.append(fleet.begun)
            return [None]

        def ping(self) -> None: ...

    @contextlib.contextmanager
    def opened(_: Host) -> Iterator[Any]:
        yield Told()

    with Fleet(opened, lambda _: None) as fleet:
        fleet.do({"db-1": [LOOKS[0]]}, [DATABASE])
        fleet.do({"front-1": [LOOKS[0], step], "db-1": []}, [FRONT, DATABASE])
        fleet.do({}, [FRONT])
    assert seen == [False, begun]


def test_what_only_reads_is_known() -> None:
    kinds = [one for one in vars(reading).values() if isinstance(one, type) and issubclass(one, Step)]
    assert {one.name for one in kinds if one is not Step and one.CHANGES} == set()
    assert upkeep.Eject.CHANGES
    assert change.Arm.CHANGES
