"""The rest is changed while hosts are away: who is left out, who may be missing, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.deploy.missing import may_lack, members_before, needs_all, present
from tempo_infra.deploy.options import Options
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.live import Heard, Live
from tests.unit.deploy.test_departed import begun, states, trio

ALL = {("history", "10.0.0.12"), *((role, "10.0.0.11") for role in ("frontend", "matching", "worker"))}


def test_the_hosts_that_are_left_out_are_not_contacted() -> None:
    cluster, _ = trio()
    assert [one.name for one in present(cluster, cluster.hosts, ["history-1"])] == ["front-1", "db-1"]
    assert present(cluster, cluster.hosts, []) == cluster.hosts


@pytest.mark.parametrize(
    ("chosen", "without", "said"),
    [
        (None, ["db-1"], "db-1: it holds the database"),
        (["history-1"], ["history-1"], "leaves no host"),
        (None, ["history-9"], "no host 'history-9'"),
    ],
)
def test_what_can_not_be_left_out_is_refused(chosen: list[str] | None, without: list[str], said: str) -> None:
    cluster, _ = trio()
    with pytest.raises(InputError, match=said):
        present(cluster, cluster.only(chosen), without)


@pytest.mark.parametrize(
    ("before", "changed", "without", "lack"),
    [
        (ALL, [], [], []),
        (ALL - {("history", "10.0.0.12")}, [], [], ["history"]),  # dead before, and not this run's matter
        (ALL - {("history", "10.0.0.12")}, ["history-1"], [], []),  # this run brings it up
        (ALL, [], ["history-1"], ["history"]),  # it may die meanwhile
        (None, [], [], []),  # nobody knows who was there: everybody has to be
        (None, [], ["history-1"], ["history"]),
        (set(), ["front-1"], [], ["history"]),
    ],
)
def test_who_was_missing_before_and_is_not_changed_may_be_missing_after(
    before: set[tuple[str, str]] | None, changed: list[str], without: list[str], lack: list[str]
) -> None:
    cluster, _ = trio()
    assert [str(role) for _, role in may_lack(cluster, before, changed, without)] == lack


def test_who_took_part_is_who_spoke_just_now() -> None:
    _, _, seen = states(rows=(Heard("history", "10.0.0.12", 29), Heard("worker", "10.0.0.11", 30)))
    assert members_before(seen["db-1"]) == {("history", "10.0.0.12")}
    assert members_before(replace(seen["db-1"], live=Live())) is None
    assert members_before(None) is None
    in_part = replace(seen["db-1"].live, in_part=True)  # then nobody may be missing
    assert members_before(replace(seen["db-1"], live=in_part)) is None


def test_the_databases_address_stays_while_hosts_are_away() -> None:
    cluster, _, seen = states()
    old = replace(seen["db-1"].containers[0], service="postgresql", ports=["10.0.0.99:5432"])
    database = replace(seen["db-1"], containers=[old])
    [(host, why)] = needs_all(cluster, database, ["history-1"])
    assert host == "db-1"
    assert "from 10.0.0.99 to 10.0.0.13, and history-1 would go on looking for it there" in why
    assert not list(needs_all(cluster, database, []))
    same = replace(database, containers=[replace(old, ports=["10.0.0.13:5432"])])
    assert not list(needs_all(cluster, same, ["history-1"]))


@pytest.mark.parametrize("chosen", [["front-1"], ["front-1", "db-1"]])
def test_one_host_is_changed_while_another_one_is_dead(chosen: list[str]) -> None:
    """Its members were missing before: the run neither waits for them nor goes back."""
    rows = tuple(Heard(role, "10.0.0.11", 3) for role in ("frontend", "matching", "worker"))
    cluster, _, seen = states(rows=rows)
    seen["front-1"] = replace(seen["front-1"], containers=[])
    rollout, hosts, fleet = begun(seen, Options())
    with fleet:
        outcome = rollout.apply(rollout.plan(cluster.only(chosen)), lambda _: None)
    assert outcome.ok
    told = {step.name: step.arguments for _, step in hosts.given}
    assert told["membership"]["may_lack"] == ["history 10.0.0.12:6934"]
    assert told["ring"]["may_lack"] == ["history 10.0.0.12:7234"]
    assert "history 10.0.0.12:6934" in told["membership"]["expected"]
    assert Role.HISTORY in cluster.host("history-1").roles
