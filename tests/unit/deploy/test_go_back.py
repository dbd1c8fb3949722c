"""Which generation each host goes back to, and in which order; on hosts that answer from a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.go_back import WayBack, go_back, way_back
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.on_host.journal import Entry
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.runs import Runs
from tempo_infra.on_host.wire import Step
from tests.fakes import FakeHosts

CLUSTER = load(Path(__file__).parents[3] / "inventory/oslo-trio.yaml")
NAMES = sorted(host.name for host in CLUSTER.hosts)
A, B, C = "0a" + "a" * 62, "0b" + "b" * 62, "cc" + "c" * 62
KEPT = [Entry("r1", "confirm", "confirmed", one) for one in (A, B)]


class Answering(Fleet):
    """Hosts that all say the same of their runs."""

    def __init__(self, runs: Runs) -> None:
        super().__init__(FakeHosts({}).open, lambda _: None)
        self.runs = asdict(runs)

    def ask(self, steps: Mapping[str, Sequence[Step]], hosts: Any) -> Any:
        return {host.name: [self.runs] for host in hosts if steps[host.name]}, {}


def way(runs: Runs, to: str | None) -> WayBack:
    return way_back(Answering(runs), CLUSTER.hosts[:1], to)


@pytest.mark.parametrize(
    ("current", "to", "wanted"),
    [
        (B, None, A),
        (B, "0a", A),
        (B, "0", ZERO),
        (None, None, B),
        (None, "0a", A),
    ],
)
def test_a_host_goes_to_the_named_generation_or_to_the_one_before(
    current: str | None, to: str | None, wanted: str
) -> None:
    found = way(Runs(current, current, current, zero=True, entries=KEPT), to)
    assert list(found.to.values()) == [wanted]


@pytest.mark.parametrize(
    ("runs", "to", "says"),
    [
        (Runs(A, A, A, zero=True, entries=KEPT[:1]), None, "--to 0 is what was there before the first"),
        (Runs(B, B, B, zero=True, entries=KEPT), "cc", "has no confirmed generation cc"),
        (Runs(B, B, B, zero=True, entries=KEPT), "0b", f"is on {B[:12]} already"),
        (Runs(B, B, B, entries=KEPT), "0", "has no generation 0"),
        (Runs(None, None, None, zero=True, entries=KEPT), "0", "(generation 0) already"),
        (Runs(None, None, None), "0", "(generation 0) already"),
    ],
)
def test_a_host_that_stays_says_why(runs: Runs, to: str | None, says: str) -> None:
    found = way(runs, to)
    assert found.to == {}
    assert [says in why for why in found.stay.values()] == [True]


def test_a_prefix_of_two_generations_is_an_error() -> None:
    with pytest.raises(InputError, match="2 generations begin so"):
        way(Runs(C, C, C, zero=True, entries=[*KEPT, Entry("r1", "confirm", "confirmed", "0bff")]), "0b")


def order(hosts: FakeHosts, step: str) -> list[str]:
    return [name for name, one in hosts.asked if one == step]


def gone(hosts: FakeHosts, to: str) -> Mapping[str, Exception]:
    found = WayBack(dict.fromkeys(NAMES, to), dict.fromkeys(NAMES, B), {})
    with Fleet(hosts.open, lambda _: None) as fleet:
        return go_back(fleet, CLUSTER, CLUSTER.hosts, found)[1]


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
    assert steps == ["arm", "switch", "before-ours", "healthy", "still", "confirm"]
    soaks = {step.args["soak_s"] for _, step in hosts.given if step.name == "arm"}
    assert soaks == {0.0}


def test_a_host_that_can_not_go_leaves_the_database_and_puts_the_others_back() -> None:
    hosts = FakeHosts({}, fails={("history-1", "before-ours")})
    assert list(gone(hosts, ZERO)) == ["history-1"]
    assert hosts.steps_of("db-1") == ["lock"]
    assert "rollback" in hosts.steps_of("front-1")
    assert "confirm" not in {step for _, step in hosts.asked}
