"""Locks of several hosts, on hosts that answer from a script."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tempo_infra.deploy import locks
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.options import Options
from tempo_infra.deploy.rollback import roll_back
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.way_back import WayBack
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Host
from tests.fakes import FakeHosts
from tests.unit.deploy.test_rollout import SECRETS, fresh, trio

pytestmark = pytest.mark.thorough

CLUSTER = load(Path(__file__).parents[3] / "inventory/oslo-trio.yaml")
HOSTS = CLUSTER.hosts
NAMES = sorted(host.name for host in HOSTS)


def held(hosts: FakeHosts) -> set[str]:
    return {name for name, holder in hosts.locks.items() if holder}


def test_all_are_locked_at_once_when_nobody_else_is_at_work() -> None:
    hosts = FakeHosts({})
    with Fleet(hosts.open, lambda _: None) as fleet:
        assert locks.take(fleet, HOSTS, "r1") == {}
    assert sorted(hosts.asked) == [(name, "lock") for name in NAMES]
    assert held(hosts) == set(NAMES)


@pytest.mark.parametrize("taken", NAMES)
def test_one_that_is_taken_leaves_none_locked_and_names_who_has_it(taken: str) -> None:
    hosts = FakeHosts({}, locks={taken: "r0"})
    with Fleet(hosts.open, lambda _: None) as fleet:
        errors = locks.take(fleet, HOSTS, "r1")
    assert list(errors) == [taken]
    assert "run r0" in errors[taken].what
    assert held(hosts) == {taken}


def test_the_second_time_is_in_the_order_of_the_names() -> None:
    hosts = FakeHosts({}, locks={NAMES[-1]: "r0"})
    with Fleet(hosts.open, lambda _: None) as fleet:
        locks.take(fleet, HOSTS, "r1")
    last_unlock = max(i for i, (_, step) in enumerate(hosts.asked[: 3 + 3]) if step == "unlock")
    again = [name for name, step in hosts.asked[last_unlock + 1 :] if step == "lock"]
    assert again == NAMES


def test_a_run_that_waits_gets_in_when_the_other_one_lets_go() -> None:
    hosts = FakeHosts({}, locks={NAMES[1]: "r0"})
    threading.Timer(0.3, lambda: hosts.locks.pop(NAMES[1])).start()
    with Fleet(hosts.open, lambda _: None) as fleet:
        assert locks.take(fleet, HOSTS, "r1", wait_s=10.0) == {}
    assert held(hosts) == set(NAMES)


def test_of_two_runs_that_cross_one_gets_all_and_the_other_none() -> None:
    """Twenty times, each over hosts of its own, asked in opposite orders."""
    with ThreadPoolExecutor(20) as pool:
        for ended, held_by in pool.map(lambda _: cross(), range(20)):
            winners = [name for name, won in ended.items() if won]
            assert len(winners) == 1
            assert held_by == dict.fromkeys(NAMES, winners[0])


def cross() -> tuple[dict[str, bool], dict[str, str]]:
    """Two runs at the same time: which got all, and who holds the hosts then."""
    hosts = FakeHosts({})

    def run(name: str, order: tuple[Host, ...]) -> bool:
        with Fleet(hosts.open, lambda _: None) as fleet:
            return not locks.take(fleet, order, name)

    with ThreadPoolExecutor(2) as pool:
        runs = {"r1": pool.submit(run, "r1", HOSTS), "r2": pool.submit(run, "r2", HOSTS[::-1])}
    return {name: one.result() for name, one in runs.items()}, dict(hosts.locks)


def test_a_provision_reads_hosts_under_their_locks_in_one_request_each() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    with Fleet(hosts.open, lambda _: None) as fleet:
        Rollout(cluster, bundles, SECRETS, fleet).plan(cluster.hosts, lock=True)
    assert hosts.requests == len(cluster.hosts)
    assert held(hosts) == set(NAMES)


def test_a_refused_provision_has_asked_for_nothing_but_locks() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster), locks={"db-1": "r0"})
    with Fleet(hosts.open, lambda _: None) as fleet:
        plan = Rollout(cluster, bundles, SECRETS, fleet, Options()).plan(cluster.hosts, lock=True)
    assert list(plan.errors) == ["db-1"]
    assert {step for _, step in hosts.asked} == {"lock", "unlock"}


def test_apply_locks_what_nobody_has_locked_and_does_nothing_without() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    with Fleet(hosts.open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet)
        plan = rollout.plan(cluster.hosts)
        hosts.locks["history-1"] = "r0"
        outcome = rollout.apply(plan, lambda _: None)
    assert not outcome.ok
    assert {step for _, step in hosts.asked} == {"lock", "unlock"}
    assert outcome.not_started == tuple(NAMES)


def test_going_back_by_hand_locks_all_before_any_host_moves() -> None:
    hosts = FakeHosts({}, locks={"front-1": "r0"})
    way = WayBack(dict.fromkeys(NAMES, "a" * 64), dict.fromkeys(NAMES), {})
    with Fleet(hosts.open, lambda _: None) as fleet:
        gone = roll_back(fleet, CLUSTER, HOSTS, way)
    assert list(gone.errors) == ["front-1"]
    assert gone.now == dict.fromkeys(NAMES, "as it was")
    assert {step for _, step in hosts.asked} == {"lock", "unlock"}
