"""Whom containers run as: what lies on a host decides; on a new one nobody else may have the numbers."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from typing import Any

import pytest

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.run import Plan
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.on_host import manifest
from tempo_infra.on_host.accounts import Accounts, Shared
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.users import OF_IMAGES, OWN, Users
from tempo_infra.render import render
from tempo_infra.sizing import size
from tests.fakes import FakeHosts
from tests.unit.deploy.test_rollout import SECRETS, fresh, pushed, run, trio

MIXED = Users(999, OWN.temporal, OWN.ui)  # data that was kept, on a host from which we had gone
ALICE = Accounts([Shared(60902, "user id 60902 is alice on this host: alice can read the database password")])


def planned(cluster: Cluster, states: dict[str, HostState]) -> tuple[Plan, Rollout]:
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        rollout = Rollout(cluster, render(cluster, size(cluster)), SECRETS, fleet)
        return rollout.plan(cluster.hosts), rollout


def test_a_cluster_from_before_keeps_its_numbers_and_changes_nothing() -> None:
    cluster, _ = trio()
    old = render(cluster, size(cluster), users=OF_IMAGES)
    states = {name: replace(one, users=OF_IMAGES) for name, one in pushed(cluster, old).items()}
    found, rollout = planned(cluster, states)
    assert [(one.host, one.restarts, one.changes) for one in found.hosts] == [
        (host.name, (), ()) for host in cluster.hosts
    ]
    assert 'user: "999:999"' in rollout.texts("db-1")["docker-compose.yml"]


def test_each_host_is_rendered_with_the_users_that_it_has() -> None:
    cluster, _ = trio()
    states = fresh(cluster)
    states["db-1"] = replace(states["db-1"], users=MIXED)
    _, rollout = planned(cluster, states)
    users = {name: rollout.texts(name)["docker-compose.yml"] for name in states}
    assert 'user: "999:999"' in users["db-1"]
    assert 'user: "60902:60902"' in users["db-1"]  # the schema job
    assert "1000:1000" not in "".join(users.values())


def test_steps_get_the_numbers_of_their_host() -> None:
    cluster, bundles = trio()
    states = fresh(cluster)
    states["db-1"] = replace(states["db-1"], users=MIXED)
    hosts = FakeHosts(states)
    outcome, _ = run(hosts, cluster, bundles)
    assert outcome.ok

    def args(host: str, step: str) -> dict[str, Any]:
        return next(one.arguments for name, one in hosts.given if (name, one.name) == (host, step))

    assert args("db-1", "data")["uid"] == 999
    assert args("db-1", "preflight")["data_uid"] == 999
    [staged] = [one for name, one in hosts.given if (name, one.name) == ("db-1", "stage")]
    with tarfile.open(fileobj=io.BytesIO(staged.payload)) as tar:
        inside = tar.extractfile(manifest.NAME)
        assert inside is not None
        made = manifest.parse(inside.read())
    assert {one.uid for one in made.material.values()} == {OWN.temporal}
    assert args("front-1", "preflight")["nobodys"] == [60902, 60903]
    assert change.Preflight(**args("db-1", "preflight")).nobodys == [60902, 60903]  # 999 is the data's


@pytest.mark.parametrize("users", [Users(0, 1000, 1000), Users(60901, 33, 60903)])
def test_a_host_that_names_other_users_makes_no_sense(users: Users) -> None:
    cluster, _ = trio()
    states = fresh(cluster)
    states["db-1"] = replace(states["db-1"], users=users)
    found, _ = planned(cluster, states)
    assert {name: str(error.what) for name, error in found.errors.items()} == {
        "db-1": "the host's answer makes no sense (state, users)"
    }


def test_somebody_who_has_a_number_stops_the_first_run_and_is_said_later() -> None:
    cluster, _ = trio()
    states = fresh(cluster)
    states["front-1"] = replace(states["front-1"], accounts=ALICE)
    found, _ = planned(cluster, states)
    assert found.problems == [
        (
            "front-1",
            f"{ALICE.shared[0].words} (take it away there, or take the risk: accept: [shared-user-ids])",
        )
    ]
    taken, _ = planned(replace(cluster, accept=frozenset({"shared-user-ids"})), states)
    assert taken.problems == []
    assert taken.warnings["front-1"] == [ALICE.shared[0].words]
    later = pushed(cluster, render(cluster, size(cluster)))
    later["front-1"] = replace(later["front-1"], accounts=ALICE)
    known, _ = planned(cluster, later)
    assert (known.problems, known.warnings["front-1"]) == ([], [ALICE.shared[0].words])


def test_data_that_is_there_stays_whose_it_is_whoever_that_is() -> None:
    cluster, _ = trio()
    states = fresh(cluster)
    lxd = Accounts([Shared(999, "user id 999 is lxd on this host")])
    states["db-1"] = replace(states["db-1"], users=MIXED, accounts=lxd)
    found, _ = planned(cluster, states)
    assert (found.problems, found.warnings["db-1"]) == ([], ["user id 999 is lxd on this host"])


def test_a_directory_that_did_not_answer_is_a_warning() -> None:
    cluster, _ = trio()
    states = fresh(cluster)
    states["db-1"] = replace(states["db-1"], accounts=Accounts([], "whether … is not known"))
    found, _ = planned(cluster, states)
    assert (found.problems, found.warnings["db-1"]) == ([], ["whether … is not known"])
