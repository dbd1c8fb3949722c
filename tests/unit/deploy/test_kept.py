"""What hosts are told at the end of a run: the cluster as it is then; on hosts that answer from a script."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.kept import described
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.run import Outcome
from tempo_infra.on_host.cluster_record import ClusterRecord
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.steps import change
from tests.fakes import FakeHosts
from tests.unit.deploy.test_rollout import SECRETS, edited, fresh, pushed, trio

CLUSTER, BUNDLES = trio()
NAMES = ["db-1", "front-1", "history-1"]
OLD = "0" * 64


def told(hosts: FakeHosts) -> dict[str, list[ClusterRecord]]:
    """The records that each host was given, in order."""
    found: dict[str, list[ClusterRecord]] = {}
    for name, step in hosts.given:
        if isinstance(step, change.ClusterRecord):
            found.setdefault(name, []).append(step.record)
    return found


def applied(hosts: FakeHosts, only: str = "") -> tuple[Outcome, str]:
    with Fleet(hosts.open, lambda _: None) as fleet:
        rollout = Rollout(CLUSTER, BUNDLES, SECRETS, fleet)
        plan = rollout.plan([one for one in CLUSTER.hosts if only in (one.name, "")])
        quiet = replace(plan, hosts=tuple(replace(one, secrets=()) for one in plan.hosts))
        return rollout.apply(quiet, lambda _: None), rollout.run


def known(*names: str) -> dict[str, HostState]:
    """A cluster that runs; on these hosts an owned file is missing, so that their generation changes."""
    states = edited(pushed(CLUSTER, BUNDLES), *names)
    before = {one.host: (OLD if one.host in names else one.digest, "") for one in BUNDLES}
    record = described(CLUSTER, "r0", before, CLUSTER.digest)
    for name, (now, _) in before.items():
        states[name] = replace(states[name], record=record, generation=now, confirmed=now, last_good=now)
    return states


def test_a_run_is_recorded_on_every_host_with_every_host() -> None:
    hosts = FakeHosts(fresh(CLUSTER))
    outcome, run = applied(hosts)
    assert outcome.ok
    records = told(hosts)
    assert sorted(records) == NAMES
    assert all(len(some) == 1 and some == records["db-1"] for some in records.values())
    [record] = records["db-1"]
    assert (record.run, record.cluster, record.inventory) == (run, "oslo", CLUSTER.digest)
    assert {one.name: one.generation for one in record.members} == {one.host: one.digest for one in BUNDLES}
    assert {one.before for one in record.members} == {""}
    front = record.member("front-1")
    assert front is not None
    assert (front.internal, front.roles, front.ssh) == (
        "10.0.0.11",
        ("matching", "worker", "frontend", "ui"),
        "deploy@203.0.113.11:22",
    )
    assert dict(record.alike)["history shards"] == str(CLUSTER.temporal.shards)


def test_it_goes_out_with_the_confirmation_after_all_were_found_healthy() -> None:
    hosts = FakeHosts(fresh(CLUSTER))
    applied(hosts)
    last_still = max(at for at, (_, step) in enumerate(hosts.asked) if step == "still")
    for name in NAMES:
        assert hosts.steps_of(name)[-2:] == ["confirm", "cluster-record"]
        assert hosts.asked.index((name, "cluster-record")) > last_still


def test_where_nothing_changed_nothing_is_written_and_nobody_asked_again() -> None:
    hosts = FakeHosts(pushed(CLUSTER, BUNDLES))
    outcome, _ = applied(hosts)
    assert outcome.ok
    assert hosts.asked == []
    assert hosts.requests == 3


def test_who_did_not_change_is_told_what_the_others_are_now() -> None:
    hosts = FakeHosts(known("front-1"))
    assert applied(hosts)[0].ok
    records = told(hosts)
    assert sorted(records) == NAMES
    front = records["history-1"][0].member("front-1")
    assert front is not None
    assert front.changed
    assert (front.generation, front.before) == (
        next(one.digest for one in BUNDLES if one.host == "front-1"),
        OLD,
    )
    assert [one.name for one in records["history-1"][0].members if one.changed] == ["front-1"]


def test_of_hosts_that_were_not_asked_no_generation_is_told() -> None:
    hosts = FakeHosts(known("front-1"))
    assert applied(hosts, "front-1")[0].ok
    assert list(told(hosts)) == ["front-1"]
    [record] = told(hosts)["front-1"]
    assert [one.name for one in record.members if one.generation] == ["front-1"]
    assert len(record.members) == 3


@pytest.mark.parametrize("step", ["still", "healthy", "switch"])
def test_a_run_that_fails_is_recorded_nowhere(step: str) -> None:
    hosts = FakeHosts(fresh(CLUSTER), fails={("history-1", step)})
    assert not applied(hosts)[0].ok
    assert told(hosts) == {}


def test_a_host_that_refuses_its_confirmation_is_not_known_to_be_on_anything() -> None:
    hosts = FakeHosts(fresh(CLUSTER), fails={("history-1", "confirm")})
    outcome, _ = applied(hosts)
    assert not outcome.ok
    records = told(hosts)
    assert sorted(records) == ["db-1", "front-1"]
    for first, last in records.values():
        assert (first.run, [one.name for one in last.members if not one.generation]) == (
            last.run,
            ["history-1"],
        )


def test_a_record_that_a_lost_connection_kept_from_a_host_is_written_by_the_next_run() -> None:
    hosts = FakeHosts(known("front-1"), lost={("history-1", "cluster-record")})
    outcome, _ = applied(hosts)
    assert list(outcome.errors) == ["history-1"]
    assert outcome.done == ("front-1",)
    states = known()
    for name in ("front-1", "db-1"):  # they have it
        states[name] = replace(states[name], record=told(hosts)[name][0])
    states["history-1"] = replace(states["history-1"], record=known("front-1")["history-1"].record)
    again = FakeHosts(states)
    assert applied(again)[0].ok
    assert list(told(again)) == ["history-1"]
    assert again.asked == [("history-1", "lock"), ("history-1", "cluster-record")]
