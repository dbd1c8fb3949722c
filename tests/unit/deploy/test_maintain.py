"""The order of maintenance, on hosts that answer from a script."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy import maintain
from tempo_infra.deploy.events import Progress
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.maintain import Maintenance, MaintenanceError, Work, what_waits
from tempo_infra.errors import HostKeyError, UnreachableError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Cluster, Host
from tempo_infra.inventory.load import loads
from tempo_infra.on_host.draining import Done
from tempo_infra.on_host.steps import upkeep
from tempo_infra.on_host.steps.step import Step
from tests.fakes import FakeHosts

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
FINE = Done("", 0)
HELD: list[str] = []


def two_histories() -> Cluster:
    text = EXAMPLE.read_text().replace(
        "[frontend, matching, worker, ui]", "[frontend, matching, worker, ui, history]"
    )
    return loads(text, EXAMPLE)


def maintained(
    cluster: Cluster,
    name: str,
    work: Work,
    fails: set[tuple[str, str]] | None = None,
    done: Done = FINE,
    wrote: list[tuple[str, str]] | None = None,
) -> tuple[FakeHosts, Maintenance, MaintenanceError | None]:
    hosts = FakeHosts({}, fails=fails or set(), answers={"command": asdict(done)})
    shown = wrote if wrote is not None else []
    HELD.clear()

    def hand_over(host: Host) -> None:
        hosts.asked.append((host.name, "handed over"))

    seen: list[Progress] = []
    with Fleet(hosts.open, seen.append) as fleet:
        run = Maintenance(fleet, cluster, seen.append, lambda host, one: shown.append((host.name, one.out)))
        try:
            run.one(cluster.host(name), work, hand_over)
        except MaintenanceError as error:
            return hosts, run, error
    return hosts, run, None


def test_a_host_is_drained_handed_over_and_back_before_all_is_asked_again() -> None:
    hosts, run, error = maintained(two_histories(), "history-1", Work())
    assert error is None
    asides = ("belongs", "lock", "note", "serving", "postgres-ready")
    assert [one for one in hosts.asked if one[1] not in asides] == [
        ("db-1", "membership"),
        ("history-1", "drain"),
        ("db-1", "owners"),
        ("history-1", "handed over"),
        ("history-1", "up"),
        ("db-1", "membership"),
        ("db-1", "owners"),
    ]
    assert run.where == {}


def test_with_one_history_host_nothing_can_move() -> None:
    hosts, _, error = maintained(load(EXAMPLE), "history-1", Work())
    assert error is None
    assert hosts.asked.index(("history-1", "drain")) < hosts.asked.index(("history-1", "handed over"))
    assert hosts.asked.count(("db-1", "owners")) == 1  # only after it is back


def test_nothing_begins_while_the_cluster_is_not_healthy() -> None:
    hosts, run, error = maintained(load(EXAMPLE), "history-1", Work(), {("front-1", "serving")})
    assert error is not None
    assert "not begun" in error.what
    assert ("history-1", "drain") not in hosts.asked
    assert run.where == {}


def test_nothing_is_asked_of_another_clusters_host() -> None:
    hosts, run, error = maintained(load(EXAMPLE), "history-1", Work(), {("front-1", "belongs")})
    assert error is not None
    assert "not begun" in error.what
    assert {step for _, step in hosts.asked} == {"belongs"}
    assert run.where == {}


@pytest.mark.parametrize(
    ("fails", "where"),
    [
        (("history-1", "drain"), "being drained"),
        (("db-1", "owners"), "being drained"),
        (("history-1", "up"), "coming back"),
    ],
)
def test_a_failure_says_how_the_host_stands(fails: tuple[str, str], where: str) -> None:
    _, run, error = maintained(two_histories(), "history-1", Work(), {fails})
    assert error is not None
    assert run.where == {"history-1": where}


@pytest.mark.parametrize(
    ("done", "says"),
    [
        (Done("one\ntwo", 0), ""),
        (Done("one\ntwo", 7), "the command ended with 7; the host was brought back"),
        (Done("one\ntwo", 124, late=True), "ended after 3600 s (--run-deadline); the host was brought back"),
    ],
)
def test_what_a_command_wrote_is_handed_on_however_it_ended(done: Done, says: str) -> None:
    wrote: list[tuple[str, str]] = []
    hosts, _, error = maintained(load(EXAMPLE), "history-1", Work("x"), done=done, wrote=wrote)
    assert wrote == [("history-1", "one\ntwo")]
    assert (error.what if error else "").endswith(says)
    assert bool(error) == bool(says)
    assert ("history-1", "up") in hosts.asked


def test_a_command_that_fails_brings_the_host_back_and_ends_the_run() -> None:
    hosts, run, error = maintained(load(EXAMPLE), "history-1", Work("false"), {("history-1", "command")})
    assert error is not None
    assert "the command failed; the host was brought back" in error.what
    assert ("history-1", "up") in hosts.asked
    assert run.where == {}


def test_for_the_database_everything_stops_in_order_and_comes_back_in_order() -> None:
    hosts, _, error = maintained(load(EXAMPLE), "db-1", Work("true"))
    assert error is None
    moves = [one for one in hosts.asked if one[1] in ("drain", "up", "command")]
    assert moves == [
        ("front-1", "drain"),  # ui, worker, frontend
        ("front-1", "drain"),  # matching
        ("history-1", "drain"),
        ("db-1", "drain"),
        ("db-1", "command"),
        ("db-1", "up"),
        *sorted([("front-1", "up"), ("history-1", "up")], key=moves.index),
        ("front-1", "up"),
        ("front-1", "up"),
    ]


def test_what_waits_is_said_before() -> None:
    assert what_waits(load(EXAMPLE), load(EXAMPLE).host("history-1")) == [
        "history: the only one: workflows wait until it is back"
    ]
    assert what_waits(two_histories(), two_histories().host("history-1")) == ["history: moves to front-1"]
    assert "every service on every host stops" in what_waits(load(EXAMPLE), load(EXAMPLE).host("db-1"))[0]


def test_on_one_host_the_frontend_stops_last() -> None:
    hosts, _, error = maintained(load(EXAMPLE), "front-1", Work())
    assert error is None
    [drained] = [step.arguments["services"] for host, step in hosts.given if step.name == "drain"]
    assert drained == ["ui", "worker", "matching", "frontend"]


def test_the_shards_of_a_drained_host_must_be_owned_by_the_others_and_it_must_be_no_member() -> None:
    hosts, _, _ = maintained(two_histories(), "history-1", Work())
    away, back = [step for _, step in hosts.given if step.name == "owners"]
    assert away == upkeep.Owners(["10.0.0.11:7234"], gone="10.0.0.12")
    assert back == upkeep.Owners(["10.0.0.11:7234", "10.0.0.12:7234"])


def test_after_a_hand_over_the_lock_of_the_session_before_is_waited_for() -> None:
    """It was ended, and the program at its other end may take a moment to go."""
    hosts, _, error = maintained(load(EXAMPLE), "history-1", Work())
    assert error is None
    before, after = [step.arguments["wait_s"] for host, step in hosts.given if step.name == "lock"]
    assert (before, after > 1) == (0.0, True)


def test_with_the_database_it_is_said_of_every_host_that_its_services_stop() -> None:
    _, run, error = maintained(load(EXAMPLE), "db-1", Work("true"), {("db-1", "up")})
    assert error is not None
    assert run.where.pop("db-1") == "coming back"
    assert set(run.where) == {"front-1", "history-1"}
    assert set(run.where.values()) == {"its services stop with db-1's database"}


class Away(FakeHosts):
    """Hosts that can't be reached once one was told to reboot."""

    error: UnreachableError = UnreachableError("unreachable: no route")

    @contextlib.contextmanager
    def open(self, host: Host) -> Iterator[Any]:
        if ("history-1", "reboot") in self.asked:
            raise self.error
        with super().open(host) as session:
            session.call = lambda steps, *more: self._answers(session, steps, *more)
            yield session

    @staticmethod
    def _answers(session: Any, steps: Sequence[Step], *more: Any) -> list[Any]:
        return [answer or {"boot_id": "b1"} for answer in type(session).call(session, steps, *more)]


@pytest.mark.parametrize("answer", [["x"], {"boot_id": None}, "fine"])
def test_a_host_that_says_no_boot_is_named_and_where_all_stand_is_known(
    answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is drained by then."""

    def answers(_: Away, __: Any, steps: Sequence[Step], *___: Any) -> list[Any]:
        return [answer if step.name == "boot-id" else {} for step in steps]

    monkeypatch.setattr(Away, "_answers", answers)
    error, run = rebooted(UnreachableError("unused"), monkeypatch)
    assert (error.host, error.what.startswith("the host's answer makes no sense (boot-id")) == (
        "history-1",
        True,
    )
    assert run.where == {"history-1": "drained: its services are stopped"}


def rebooted(
    error: UnreachableError, monkeypatch: pytest.MonkeyPatch
) -> tuple[UnreachableError, Maintenance]:
    monkeypatch.setattr(maintain, "POLL_S", 0.01)
    monkeypatch.setattr(maintain, "BOOT_DEADLINE_S", 0.1)
    hosts = Away({})
    hosts.error = error
    with Fleet(hosts.open, lambda _: None) as fleet:
        run = Maintenance(fleet, load(EXAMPLE), lambda _: None)
        with pytest.raises(UnreachableError) as caught:
            run.one(run.cluster.host("history-1"), Work(reboot=True), lambda _: None)
    return caught.value, run


def test_a_host_that_does_not_come_back_says_what_was_seen_last_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error, run = rebooted(UnreachableError("unreachable: no route"), monkeypatch)
    assert error.what == "did not come back within 0.1 s: unreachable: no route"
    assert "console" in error.remedy
    assert run.where == {"history-1": "drained: its services are stopped"}


def test_another_system_at_its_address_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = HostKeyError("refused: the host key has changed")
    assert rebooted(told, monkeypatch)[0] is told
