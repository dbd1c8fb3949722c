"""Leaving hosts: what a host answers is believed only when it is an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy import leave, locks
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.errors import InputError, UnreachableError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tests.unit.sizing.clusters import cluster, host

CLUSTER = load(Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml")


class Answering(Fleet):
    """Every host answers the same."""

    def __init__(self, answer: Any) -> None:
        super().__init__(lambda _: pytest.fail("no host is contacted"), lambda _: None)
        self._answer = answer

    def ask(self, steps: Any, hosts: Any) -> Any:
        del steps
        return {host.name: [self._answer] for host in hosts}, {}


@pytest.mark.parametrize("what", [leave.remove, leave.eject])
@pytest.mark.parametrize("answer", [None, {"data": 1, "services": 2, "compose_file": 3}, "fine", [[[]]]])
def test_an_answer_that_makes_no_sense_is_a_hosts_error(
    what: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "take", lambda *_: {})
    with pytest.raises(UnreachableError, match="answer makes no sense"):
        what(Answering(answer), CLUSTER, CLUSTER.hosts)


SPREAD = cluster(
    host("db-1", Role.POSTGRESQL),
    host("history-1", Role.HISTORY),
    host("history-2", Role.HISTORY),
    host("matching-1", Role.MATCHING, Role.WORKER),
    host("front-1", Role.FRONTEND),
    host("ui-1", Role.UI),
)
TEMPORAL = ["history-1", "history-2", "matching-1", "front-1", "ui-1"]


@pytest.mark.parametrize("stays", TEMPORAL)
def test_the_database_does_not_go_while_any_host_stays(stays: str) -> None:
    """Whatever it runs: history alone ran on without its database once only frontends were looked at."""
    going = [one for one in SPREAD.hosts if one.name != stays]
    with pytest.raises(InputError, match=f"^db-1 holds the database of {stays}\n"):
        leave.refuse_a_database_alone(SPREAD, going)


def test_all_hosts_that_would_stay_are_named() -> None:
    with pytest.raises(InputError, match="of history-1, history-2, matching-1, front-1, ui-1\n"):
        leave.refuse_a_database_alone(SPREAD, SPREAD.only(["db-1"]))


@pytest.mark.parametrize("going", [[one.name for one in SPREAD.hosts], TEMPORAL, ["front-1"]])
def test_the_whole_cluster_goes_and_so_do_hosts_without_the_database(going: list[str]) -> None:
    leave.refuse_a_database_alone(SPREAD, SPREAD.only(going))
    leave.refuse_a_database_alone(cluster(SPREAD.hosts[0]), SPREAD.hosts[:1])
