"""One minor version of Temporal at a time: the servers themselves would take any."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.temporal_versions import against
from tempo_infra.on_host.condition import Container
from tempo_infra.on_host.state import HostState
from tests.fakes import FakeHosts
from tests.unit.deploy.test_plan import FRESH
from tests.unit.deploy.test_rollout import SECRETS, fresh, trio

AT = f"@sha256:{'d' * 64}"
JUMP = "Temporal {} runs on h-0: {} comes after {}, one minor version at a time"


def runs(*versions: str, service: str = "history") -> HostState:
    images = [f"registry.example:5000/temporalio/server:{one}" for one in versions]
    return replace(FRESH, containers=[Container(service, one, True, "", one) for one in images])  # noqa: FBT003  # it runs


def said(wanted: str, *states: HostState, accept: tuple[str, ...] = ()) -> list[str]:
    cluster, _ = trio()
    cluster = replace(cluster, temporal=replace(cluster.temporal, version=wanted), accept=frozenset(accept))
    return [why for n, one in enumerate(states) for why in against(cluster, f"h-{n}", one)]


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (FRESH, "1.34.2"),
        (runs(f"1.31.2{AT}"), "1.31.5"),
        (runs("1.31.5"), "1.31.2"),
        (runs("1.31.2"), "1.32.0"),
        (runs("1.31.2", "1.32.0"), "1.32.0"),
        (runs("1.9.0", service="ui"), "1.34.0"),
        (runs("latest"), "1.34.0"),
    ],
)
def test_the_next_line_another_patch_and_a_new_cluster_are_fine(state: HostState, wanted: str) -> None:
    assert said(wanted, state) == []


@pytest.mark.parametrize(
    ("state", "wanted", "why"),
    [
        (runs(f"1.31.2{AT}"), "1.34.2", JUMP.format("1.31", "1.34", "1.32")),
        (runs("1.31.2"), "1.33.0", JUMP.format("1.31", "1.33", "1.32")),
        (runs("1.32.0", "1.31.2"), "1.33.0", JUMP.format("1.31", "1.33", "1.32")),
        (runs("1.9.7"), "1.31.0", JUMP.format("1.9", "1.31", "1.10")),
        (runs("1.34.0"), "1.31.2", "Temporal 1.34 runs on h-0: not back to 1.31 but to 1.33 first"),
        (runs("1.32.0"), "1.31.2", "Temporal 1.32 runs on h-0: 1.31 is a step back"),
        (runs("2.0.0"), "1.31.2", "Temporal 2.0 runs on h-0: to 1.31 it is another major version"),
        (runs("1.32.0-rc.1"), "1.34.0", JUMP.format("1.32", "1.34", "1.33")),
    ],
)
def test_a_jump_is_refused_up_and_down(state: HostState, wanted: str, why: str) -> None:
    [found] = said(wanted, state)
    assert found.startswith(why)


def test_one_step_back_is_a_risk_to_accept_two_are_not() -> None:
    assert said("1.32.0", runs("1.33.1"), accept=("older-temporal",)) == []
    assert said("1.31.2", runs("1.33.1"), accept=("older-temporal",))


def test_a_host_whose_containers_are_gone_is_known_by_its_generation() -> None:
    services = {
        "history": {"image": "temporalio/server:1.31.2", "job": False},
        "ui": {"image": "ui:1.1.1", "job": False},
    }
    gone = replace(FRESH, manifest=json.dumps({"files": {}, "services": services}))
    assert said("1.33.0", gone)
    assert said("1.33.0", replace(FRESH, manifest="{")) == []


def test_the_plan_of_a_cluster_names_the_line_of_the_inventory() -> None:
    cluster, bundles = trio()
    states = {
        name: replace(one, containers=runs("1.29.0").containers) for name, one in fresh(cluster).items()
    }
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        plan = Rollout(cluster, bundles, SECRETS, fleet).plan(cluster.hosts)
    place = cluster.place("temporal", "version")
    found = {where: why for where, why in plan.problems if "one minor version at a time" in why}
    assert found.keys() == {host.name for host in cluster.hosts}
    assert all(why.endswith(f"({place})") for why in found.values())


def test_an_image_that_one_host_speaks_of_is_its_own_problem_and_nobody_elses() -> None:
    cluster, bundles = trio()
    states = fresh(cluster)
    states["front-1"] = replace(states["front-1"], containers=runs("1.9.0").containers)
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet)
        plan = rollout.plan(cluster.hosts)
        others = rollout.plan([host for host in cluster.hosts if host.name != "front-1"])
    said = "one minor version at a time"
    assert plan.against == ()
    assert [one.host for one in plan.hosts if said in " ".join(one.problems)] == ["front-1"]
    assert others.problems == []
