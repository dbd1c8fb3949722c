from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from tempo_infra.cli.exit_codes import ExitCode
from tempo_infra.cli.provision import refuse
from tempo_infra.deploy import preconditions
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.options import Options
from tempo_infra.deploy.preconditions import Allowed, Fixed, of_inventory
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.inventory import load
from tempo_infra.on_host.identity import Pin
from tempo_infra.on_host.live import Live
from tempo_infra.on_host.state import HostState
from tempo_infra.render import render
from tempo_infra.render.bundle import Bundle
from tempo_infra.report.changes import plan_json, plan_lines
from tempo_infra.sizing import size
from tests.fakes import FakeHosts
from tests.unit.deploy.test_plan import FRESH, HOST, after, bundle, container
from tests.unit.deploy.test_rollout import DIGEST, SECRETS, fresh, pushed, trio

SINGLE = Path(__file__).parents[3] / "inventory/single.yaml"
FIXED = Fixed(512, "active", ("temporal", "temporal_visibility"))
LIVE = Live("7712", ["postgres", "temporal", "temporal_visibility"], {}, [("active", 512)])
RAN = replace(after(bundle()), pinned=Pin("7712", "then", "r1"), last_good="g", live=LIVE)


def against(state: HostState, allowed: Allowed = Allowed(fixed=FIXED)) -> tuple[str, ...]:  # noqa: B008 - frozen
    return preconditions.problems(HOST, bundle(), state, allowed)


@pytest.mark.parametrize(("mib", "says"), [(63, "has 63 MiB left, PostgreSQL wants 64 MiB"), (64, "")])
def test_a_full_disk_of_the_database_is_refused_in_the_plan(mib: int, says: str) -> None:
    found = against(replace(RAN, data_free_bytes=mib << 20))
    assert says in found[0] if says else found == ()


def test_a_cluster_as_it_was_has_nothing_against_it() -> None:
    assert against(RAN) == ()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (
            replace(RAN, live=replace(LIVE, clusters=[("active", 64)])),
            "temporal.shards is fixed at first start: the cluster has 64, the inventory says 512",
        ),
        (
            replace(RAN, live=replace(LIVE, clusters=[("oslo", 512)])),
            "Temporal's cluster name is fixed at first start: the database has oslo, not active",
        ),
        (
            replace(RAN, live=replace(LIVE, databases=["postgres", "temporal"])),
            "the database temporal_visibility is gone from PostgreSQL",
        ),
        (replace(RAN, system_identifier="9000"), "holds database 9000, but 7712 is pinned"),
        (
            replace(RAN, system_identifier=None, data_version=None),
            "holds no database, but PostgreSQL has run",
        ),
        (replace(FRESH, data_others=["18"]), "is not empty and holds no database: 18"),
        (replace(RAN, read_only=["/srv/tempo"]), "/srv/tempo is mounted read-only"),
        (
            replace(RAN, system_identifier=None, data_version=None, data_problem="/srv/tempo hangs"),
            "/srv/tempo hangs",
        ),
    ],
)
def test_what_the_database_says_itself_is_compared(state: HostState, says: str) -> None:
    [problem] = against(state)
    assert says in problem


def test_a_database_that_never_served_may_still_lack_its_databases() -> None:
    """A first provision that failed after PostgreSQL had started."""
    state = replace(RAN, last_good=None, live=replace(LIVE, databases=["postgres"], clusters=[]))
    assert against(state) == ()


def test_lost_data_is_given_up_when_the_cluster_was_named() -> None:
    lost = replace(RAN, system_identifier=None, data_version=None, live=Live())
    assert against(lost, Allowed(new_database=True, fixed=FIXED)) == ()
    other = replace(RAN, system_identifier="9000")
    assert against(other, Allowed(new_database=True, fixed=FIXED)) != ()


def single() -> Bundle:
    cluster = load(SINGLE)
    return render(cluster, size(cluster))[0]


def test_a_strangers_port_stands_in_the_way_and_our_own_does_not() -> None:
    made, cluster = single(), load(SINGLE)
    [ui] = made.instances["ui"].listens
    state = replace(FRESH, addresses=[cluster.hosts[0].internal], taken={ui: "nginx (pid 12)"})
    found = preconditions.problems(cluster.hosts[0], made, state, Allowed())
    assert found == (f"port {ui} is taken by nginx (pid 12): stop it, or give it another port",)
    ours = replace(state, containers=[replace(container("ui"), ports=[ui])])
    assert preconditions.problems(cluster.hosts[0], made, ours, Allowed()) == ()
    stopped = replace(state, containers=[replace(container("ui", running=False), ports=[ui])])
    assert preconditions.problems(cluster.hosts[0], made, stopped, Allowed()) == found


def test_what_is_fixed_is_read_from_the_rendered_files() -> None:
    assert preconditions.fixed_values([single()]) == Fixed(512, "active", ("temporal", "temporal_visibility"))
    assert preconditions.fixed_values([bundle()]) == Fixed()


@pytest.mark.parametrize("given_up", [False, True])
def test_an_empty_database_host_beside_hosts_that_have_run_is_refused(given_up: bool) -> None:
    """Another host got the role, or the machine was installed anew: the data is elsewhere."""
    cluster, bundles = trio()
    states = pushed(cluster, bundles)
    states = {name: replace(state, last_good=state.generation) for name, state in states.items()}
    states["db-1"] = fresh(cluster)["db-1"]
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet, Options(new_database=given_up))
        plan = rollout.plan(cluster.hosts)
    said = [problem for name, problem in plan.problems if name == "db-1"]
    assert bool(said) != given_up
    assert given_up or said[0].startswith("this host holds no database, but front-1, history-1 ran with one")


NAMES = ("postgres:17", "temporalio/admin-tools:1.31.2", "temporalio/server:1.31.2", "temporalio/ui:2.50.1")


@pytest.mark.parametrize("pinned", [(), NAMES[:1], NAMES[:3], NAMES])
@pytest.mark.parametrize("accept", [frozenset(), frozenset({"floating-images"})])
def test_images_without_a_digest_are_a_risk_to_accept(
    pinned: tuple[str, ...], accept: frozenset[str]
) -> None:
    one = replace(trio()[0], accept=accept).pinned(dict.fromkeys(pinned, DIGEST))
    left = ", ".join(name for name in NAMES if name not in pinned)
    refused = [what for _, what in of_inventory(one)]
    taken = [risk for risk in size(one).risks if risk.startswith("floating-images: ")]
    assert [what.startswith(f"{left}: only names") for what in refused] == [True] * bool(left and not accept)
    assert all(f"`tempo-infra images pin -i {one.path}`" in what for what in refused)
    assert [left in risk for risk in taken] == [True] * bool(left and accept)


def test_a_run_with_images_that_may_change_ends_before_anything_is_done() -> None:
    cluster, bundles = trio()
    floating = cluster.pinned({})
    plan = Rollout(floating, bundles, SECRETS, Fleet(FakeHosts(fresh(cluster)).open, print)).plan(
        cluster.hosts
    )
    place = cluster.place("images", "digests")
    assert [where for where, _ in plan.problems] == [place]
    with pytest.raises(typer.Exit) as ended:
        refuse(plan)
    assert ended.value.exit_code == ExitCode.FAILED
    said = " ".join(" ".join(plan_lines(plan, diffs=False)).split())
    assert f"✗ {place}: postgres:17, temporalio/admin-tools" in said
    assert "1 problem to solve first" in said
    assert plan_json(plan)["problems"] == [f"{where}: {what}" for where, what in plan.problems]
