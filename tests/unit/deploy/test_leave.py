"""Leaving hosts: what a host answers is believed only when it is an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy import leave
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tests.fakes import FakeHosts
from tests.unit.sizing.clusters import cluster, host

CLUSTER = load(Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml")


@pytest.mark.parametrize("what", [leave.remove, leave.eject])
@pytest.mark.parametrize("answer", [None, {"data": 1, "services": 2, "compose_file": 3}, "fine", [[[]]]])
def test_an_answer_that_makes_no_sense_is_a_hosts_error(what: Any, answer: Any) -> None:
    """The others' answers are kept."""
    good = {"services": ["history"], "files": [], "compose_file": "/x/docker-compose.yml"}
    hosts = FakeHosts({}, answers={"remove": good, "eject": good}, answers_of={"front-1": answer})
    with Fleet(hosts.open, lambda _: None) as fleet:
        found, errors = what(fleet, CLUSTER, CLUSTER.hosts)
    assert {name: error.what.partition(" (")[0] for name, error in errors.items()} == {
        "front-1": "the host's answer makes no sense"
    }
    assert "history-1" in found


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
