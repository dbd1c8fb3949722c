"""In which order hosts go back, and what becomes of who can not; on hosts that answer from a script."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy.fitting import Fit
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.kept import described
from tempo_infra.deploy.rollback import Gone, roll_back
from tempo_infra.deploy.way_back import WayBack
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Host
from tempo_infra.on_host.cluster_record import ClusterRecord
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.runs import Runs
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.steps.step import Step
from tests.fakes import FakeHosts

CLUSTER = load(Path(__file__).parents[3] / "inventory/oslo-trio.yaml")
NAMES = sorted(host.name for host in CLUSTER.hosts)
A, B, C = "0a" + "a" * 62, "0b" + "b" * 62, "cc" + "c" * 62


def test_a_host_that_answers_anything_while_it_is_put_back_keeps_no_other_from_it() -> None:
    hosts = FakeHosts(
        {},
        fails={("history-1", "healthy")},
        answers={"rollback": {"now": "back on 1"}},
        answers_of={"front-1": ["x"]},
    )
    found = ended(hosts, A)
    assert sorted(found.errors) == ["front-1", "history-1"]
    assert "makes no sense (rollback" in str(found.errors["front-1"])
    assert found.now["db-1"] == "back on 1"


def order(hosts: FakeHosts, step: str) -> list[str]:
    return [name for name, one in hosts.asked if one == step]


def ended(hosts: FakeHosts, to: str) -> Gone:
    found = WayBack(dict.fromkeys(NAMES, to), dict.fromkeys(NAMES, B), {})
    with Fleet(hosts.open, lambda _: None) as fleet:
        return roll_back(fleet, CLUSTER, CLUSTER.hosts, found)


def gone(hosts: FakeHosts, to: str) -> Mapping[str, Exception]:
    return ended(hosts, to).errors


@pytest.mark.parametrize(("to", "place"), [(A, 0), (ZERO, -1)])
def test_the_database_is_first_back_and_last_away(to: str, place: int) -> None:
    hosts = FakeHosts({})
    assert gone(hosts, to) == {}
    assert order(hosts, "switch")[place] == "db-1"
    assert sorted(order(hosts, "confirm")) == NAMES


def test_a_host_that_could_not_be_put_back_is_an_error_too() -> None:
    hosts = FakeHosts({}, fails={("history-1", "healthy"), ("db-1", "rollback")})
    assert sorted(gone(hosts, A)) == ["db-1", "history-1"]


def test_to_generation_0_containers_go_and_nothing_has_to_last() -> None:
    hosts = FakeHosts({})
    gone(hosts, ZERO)
    steps = [step for step in hosts.steps_of("front-1") if step != "lock"]
    assert steps == ["note", "arm", "switch", "before-ours", "healthy", "still", "confirm", "cluster-record"]
    soaks = {step.arguments["soak_s"] for _, step in hosts.given if step.name == "arm"}
    assert soaks == {0.0}


def test_a_host_that_can_not_go_leaves_the_database_and_puts_the_others_back() -> None:
    hosts = FakeHosts({}, fails={("history-1", "before-ours")})
    assert list(gone(hosts, ZERO)) == ["history-1"]
    assert hosts.steps_of("db-1") == ["lock"]
    assert "rollback" in hosts.steps_of("front-1")
    assert "confirm" not in {step for _, step in hosts.asked}


@pytest.mark.parametrize(
    ("to", "fails"), [(A, ("history-1", "up")), (A, ("front-1", "still")), (ZERO, ("db-1", "still"))]
)
def test_what_came_last_is_put_back_first(to: str, fails: tuple[str, str]) -> None:
    hosts = FakeHosts({}, fails={fails})
    assert list(gone(hosts, to)) == [fails[0]]
    went = [name for name in order(hosts, "switch") if name != fails[0]]
    back = order(hosts, "rollback")
    assert sorted(back) == sorted(went)
    assert back.index("db-1") == len(back) - 1 if to == A else "db-1" not in back


def test_a_host_that_can_not_be_put_back_is_an_error_of_the_run() -> None:
    hosts = FakeHosts({}, fails={("history-1", "up"), ("db-1", "rollback")})
    assert sorted(gone(hosts, A)) == ["db-1", "history-1"]


class Interrupted(FakeHosts):
    """Hosts whose operator stops the run, once, when one of them comes to a step."""

    def __init__(self, host: str, step: str) -> None:
        super().__init__({})
        self.stop_at = (host, step)

    @contextlib.contextmanager
    def open(self, host: Host) -> Iterator[Any]:
        with super().open(host) as session:
            call = session.call

            def stopped(steps: Sequence[Step], *more: Any) -> list[Any]:
                answers: list[Any] = call(steps, *more)
                if self.stop_at in {(host.name, step.name) for step in steps}:
                    raise KeyboardInterrupt
                return answers

            session.call = stopped
            yield session


@pytest.mark.parametrize(
    ("to", "host", "step", "back"),
    [
        (A, "db-1", "switch", ["db-1"]),
        (A, "history-1", "switch", ["front-1", "history-1", "db-1"]),
        (A, "history-1", "still", ["front-1", "history-1", "db-1"]),
        (ZERO, "front-1", "switch", ["front-1", "history-1"]),
    ],
)
def test_who_stops_it_has_every_host_where_it_was(to: str, host: str, step: str, back: list[str]) -> None:
    hosts = Interrupted(host, step)
    found = ended(hosts, to)
    assert (found.stopped, found.ok, found.errors) == (True, False, {})
    assert sorted(order(hosts, "rollback")) == sorted(back)
    assert order(hosts, "rollback")[-1:] == back[-1:] or to == ZERO
    assert order(hosts, "confirm") == []


@pytest.mark.parametrize(
    ("going", "now", "left"),
    [
        (["db-1", "front-1"], dict.fromkeys(NAMES, B), "history-1"),
        (["db-1"], dict.fromkeys(NAMES, B), "front-1, history-1"),
        (["db-1"], {"db-1": B, "history-1": None, "front-1": B}, "front-1"),
        (["db-1"], {"db-1": B}, "front-1, history-1"),  # the others were not asked
        (["db-1"], {"db-1": B, "history-1": None, "front-1": None}, ""),
        (["front-1", "history-1"], dict.fromkeys(NAMES, B), ""),
    ],
)
def test_the_database_does_not_go_to_generation_0_while_a_host_stays_that_has_none(
    going: list[str], now: dict[str, str | None], left: str
) -> None:
    """A host whose generation 0 is gone stays as it is; the others may go only without the database."""
    runs = {name: asdict(Runs(one, one, one)) for name, one in now.items()}
    hosts = FakeHosts({}, answers={"runs": {}}, answers_of=runs)
    found = WayBack(dict.fromkeys(going, ZERO), now, {})
    with Fleet(hosts.open, lambda _: None) as fleet:
        errors = roll_back(fleet, CLUSTER, CLUSTER.hosts, found).errors
    told = {name: str(error) for name, error in errors.items()}
    assert {name: left in text for name, text in told.items()} == ({"db-1": True} if left else {})
    assert (hosts.asked == []) is bool(left)


def recorded(hosts: FakeHosts) -> dict[str, ClusterRecord]:
    """What each host was told that the cluster is, last."""
    return {name: step.record for name, step in hosts.given if isinstance(step, change.ClusterRecord)}


def test_all_hosts_learn_what_the_cluster_is_also_those_that_stay() -> None:
    """The hosts as they were with these generations, and what any record knows of others."""
    now = described(CLUSTER, "r2", dict.fromkeys(NAMES, (B, A)), "b" * 64)
    gone = (replace(now.members[0], name="old-1", internal="10.0.0.77"),)
    then = tuple(replace(one, internal="10.0.0.99") if one.name == "front-1" else one for one in now.members)
    fit = Fit(then, now, inventory="a" * 64, gone=gone)
    found = WayBack({"db-1": A, "front-1": A}, dict.fromkeys(NAMES, B), {"history-1": "stays"}, fit=fit)
    hosts = FakeHosts({}, answers={"runs": asdict(Runs(B, B, B))})
    with Fleet(hosts.open, lambda _: None) as fleet:
        assert roll_back(fleet, CLUSTER, CLUSTER.hosts, found).ok
    assert sorted(recorded(hosts)) == NAMES
    [record] = {id(one): one for one in recorded(hosts).values()}.values()
    members = {one.name: (one.generation, one.before, one.internal) for one in record.members}
    assert members == {
        "db-1": (A, B, "10.0.0.13"),
        "front-1": (A, B, "10.0.0.99"),
        "history-1": (B, B, "10.0.0.12"),
    }
    assert (record.inventory, record.gone) == ("a" * 64, gone)
    armed = {name: step.host for name, step in hosts.given if isinstance(step, change.Arm)}
    assert armed == {"db-1": "10.0.0.13", "front-1": "10.0.0.99"}  # where its services listen then


def test_a_host_that_goes_to_generation_0_goes_before_the_others_go_back_and_is_no_member_then() -> None:
    now = described(CLUSTER, "r2", dict.fromkeys(NAMES, (B, A)), "")
    fit = Fit(tuple(one for one in now.members if one.name != "history-1"), now)
    found = WayBack({"db-1": A, "front-1": A, "history-1": ZERO}, dict.fromkeys(NAMES, B), {}, fit=fit)
    hosts = FakeHosts({})
    with Fleet(hosts.open, lambda _: None) as fleet:
        assert roll_back(fleet, CLUSTER, CLUSTER.hosts, found).ok
    assert order(hosts, "switch") == ["history-1", "db-1", "front-1"]
    assert [one.name for one in recorded(hosts)["db-1"].members] == ["front-1", "db-1"]


def test_a_host_that_stays_and_moved_meanwhile_ends_it_before_any_other_moves() -> None:
    """A person has looked at the preview for a while, and nobody had the locks."""
    hosts = FakeHosts({}, answers={"runs": asdict(Runs(C, C, C))})
    found = WayBack({"db-1": A}, {"db-1": B, "history-1": B}, {"history-1": "stays"})
    with Fleet(hosts.open, lambda _: None) as fleet:
        ended = roll_back(fleet, CLUSTER, CLUSTER.hosts, found)
    assert {name: error.what for name, error in ended.errors.items()} == {
        "history-1": f"was changed meanwhile: it is on {C[:12]}"
    }
    assert {step for _, step in hosts.asked} == {"lock", "runs"}


def test_where_a_host_did_not_confirm_nobody_is_told_of_a_cluster_that_is_not() -> None:
    hosts = FakeHosts({}, fails={("history-1", "confirm")})
    assert list(gone(hosts, A)) == ["history-1"]
    assert recorded(hosts) == {}
