"""Namespaces are compared with the live ones at every plan, and made or changed when they differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.namespaces import NamespaceChange
from tempo_infra.deploy.plan_file import moved
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.run import Outcome, Plan
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.inventory.load import loads
from tempo_infra.on_host.live import Live
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.steps import change
from tempo_infra.render import Bundle, render
from tempo_infra.report.changes import plan_json, plan_lines
from tempo_infra.report.drift import drift_lines, drift_of
from tempo_infra.sizing import size
from tests.fakes import FakeHosts
from tests.unit.deploy.test_rollout import INVENTORIES, SECRETS, edited, pinned, pushed

HOUR = 3600
SYSTEM = {"temporal-system": 168 * HOUR, "tempo-infra-smoke": 24 * HOUR}
LIVE = {**SYSTEM, "billing": 72 * HOUR}
TEXT = (INVENTORIES / "oslo-trio.yaml").read_text()


def trio(*namespaces: str) -> Cluster:
    old = "    - {name: billing, retention: 72h}\n"
    assert old in TEXT
    lines = "".join(f"    - {{name: {one.split()[0]}, retention: {one.split()[1]}}}\n" for one in namespaces)
    return pinned(loads(TEXT.replace(old, lines), INVENTORIES / "oslo-trio.yaml"))


def rolled(
    cluster: Cluster, live: dict[str, int], *, only: str = "", had: Cluster | None = None
) -> tuple[Rollout, FakeHosts, Plan]:
    """A run over hosts that are as `had` (or as the inventory says), whose Temporal has `live` namespaces."""
    bundles = render(cluster, size(cluster))
    old = render(had, size(had)) if had else bundles
    states = pushed(had or cluster, old)
    for one, new in zip(old, bundles, strict=True):
        wanted = {file.path: file.sha256 for file in new.files}
        texts = {f.path: f.content.decode() for f in one.files if wanted.get(f.path) != f.sha256}
        states[one.host] = replace(states[one.host], texts=texts, last_good=one.digest)
    states["db-1"] = replace(states["db-1"], live=Live("7712", namespaces=list(live.items())))
    return over(cluster, states, only, bundles)


def over(
    cluster: Cluster, states: dict[str, HostState], only: str = "", bundles: tuple[Bundle, ...] = ()
) -> tuple[Rollout, FakeHosts, Plan]:
    hosts, bundles = FakeHosts(states), bundles or render(cluster, size(cluster))
    rollout = Rollout(cluster, bundles, SECRETS, Fleet(hosts.open, lambda _: None))
    plan = rollout.plan([one for one in cluster.hosts if only in (one.name, "")])
    return rollout, hosts, replace(plan, hosts=tuple(replace(one, secrets=()) for one in plan.hosts))


def of_front(plan: Plan) -> tuple[NamespaceChange, ...]:
    return next(one.namespaces for one in plan.hosts if one.host == "front-1")


@pytest.mark.parametrize(
    ("live", "found"),
    [
        (LIVE, ()),
        (SYSTEM, (NamespaceChange("billing", None, 72 * HOUR),)),
        ({**SYSTEM, "billing": 240 * HOUR}, (NamespaceChange("billing", 240 * HOUR, 72 * HOUR),)),
        ({**SYSTEM, "billing": 90}, (NamespaceChange("billing", 90, 72 * HOUR),)),
        ({**SYSTEM, "Billing": 72 * HOUR}, (NamespaceChange("billing", None, 72 * HOUR),)),
        ({**LIVE, "refunds": HOUR}, ()),
    ],
)
def test_what_differs_from_the_live_ones_is_to_be_set(
    live: dict[str, int], found: tuple[NamespaceChange, ...]
) -> None:
    _, _, plan = rolled(trio("billing 72h"), live)
    assert of_front(plan) == found
    assert [one.host for one in plan.changing] == ["front-1"] * bool(found)


def test_setting_them_touches_no_container_and_no_other_host() -> None:
    rollout, hosts, plan = rolled(trio("billing 72h"), SYSTEM)
    outcome: Outcome = rollout.apply(plan, lambda _: None)
    assert outcome.ok
    assert hosts.asked == [("front-1", step) for step in ("lock", "lock", "note", "namespaces")]
    assert hosts.given[-1][1] == change.Namespaces({"billing": 72})


def test_they_are_set_beside_files_in_etc() -> None:
    cluster = trio("billing 72h")
    _, hosts, _ = rolled(cluster, SYSTEM)
    rollout, hosts, plan = over(cluster, edited(hosts.states, "front-1"))
    assert rollout.apply(plan, lambda _: None).ok
    steps = hosts.steps_of("front-1")
    assert steps.index("healthy") < steps.index("namespaces") < steps.index("confirm")
    assert "up" not in steps


def test_one_that_fails_fails_the_run_and_is_wanted_again_by_the_next_plan() -> None:
    rollout, hosts, plan = rolled(trio("billing 72h"), SYSTEM)
    hosts.fails.add(("front-1", "namespaces"))
    outcome = rollout.apply(plan, lambda _: None)
    assert [(name, error.what) for name, error in outcome.errors.items()] == [
        ("front-1", "namespaces: scripted")
    ]
    _, _, again = over(trio("billing 72h"), hosts.states)
    assert of_front(again) == (NamespaceChange("billing", None, 72 * HOUR),)


def told(plan: Plan) -> str:
    return " ".join(" ".join(plan_lines(plan, diffs=False)).split())


def test_a_plan_says_what_is_made_changed_shortened_and_what_stays() -> None:
    before = trio("billing 72h", "invoices 168h")
    live = {**LIVE, "invoices": 168 * HOUR, "hers": 48 * HOUR}
    _, _, plan = rolled(trio("billing 1h", "orders 14d"), live, had=before)
    said = told(plan)
    assert "~ namespace billing retention 72h -> 1h" in said
    assert "+ namespace orders retention 336h" in said
    assert (
        "namespace billing: workflows that end from now on are deleted after 1h, not 72h; those that have"
        in said
    )
    assert "in Temporal but not in the inventory, left as they are: hers, invoices" in said
    assert "smoke" not in said
    assert "2 namespaces to set" in said
    assert len(plan_json(plan)["hosts"][0]["namespaces"]) == 2


def test_longer_retention_is_no_warning() -> None:
    _, _, plan = rolled(trio("billing 73h"), LIVE, had=trio("billing 72h"))
    assert plan.warnings == {}
    assert "retention 72h -> 73h" in told(plan)


def test_a_database_that_says_nothing_is_said_and_nothing_is_guessed() -> None:
    for _, hosts, plan in (
        rolled(trio("billing 72h"), {}),
        rolled(trio("billing 72h"), LIVE, only="front-1"),
    ):
        del hosts
        assert of_front(plan) == ()
        assert told(plan).startswith("! namespaces were not compared with Temporal's")


def test_a_plan_file_holds_only_while_they_stay_as_they_were() -> None:
    cluster = trio("billing 72h")
    kept = {one["host"]: one for one in plan_json(rolled(cluster, SYSTEM)[2])["hosts"]}
    assert moved(kept, rolled(cluster, SYSTEM)[2]) == []
    assert moved(kept, rolled(cluster, {**SYSTEM, "hers": 1})[2]) == []
    [(host, why)] = moved(kept, rolled(cluster, LIVE)[2])
    assert (host, why) == ("front-1", "the host moved since the plan was made: namespaces")


@pytest.mark.parametrize(
    ("live", "lines"),
    [
        (LIVE, []),
        ({}, []),
        (SYSTEM, ["front-1", "  - namespace billing is not in Temporal"]),
        (
            {**LIVE, "billing": 240 * HOUR},
            ["front-1", "  ~ namespace billing keeps 240h in Temporal, 72h was provisioned"],
        ),
    ],
)
def test_drift_is_against_what_was_provisioned_not_what_the_inventory_says_now(
    live: dict[str, int], lines: list[str]
) -> None:
    for cluster, had in ((trio("billing 72h"), None), (trio("billing 1h", "x 2h"), trio("billing 72h"))):
        rollout, hosts, _ = rolled(cluster, live, had=had)
        drift = rollout.namespace_drift("front-1", hosts.states)
        state = hosts.states["front-1"]
        assert list(drift_lines("front-1", drift_of(state, rollout.texts("front-1"), drift))) == lines


def test_a_host_that_makes_none_has_no_drift_of_them() -> None:
    rollout, hosts, _ = rolled(trio("billing 72h"), SYSTEM)
    assert rollout.namespace_drift("db-1", hosts.states) == ()
