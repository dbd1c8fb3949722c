"""The order of a run, on hosts that answer from a script."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.deploy import batches
from tempo_infra.deploy.events import Progress, State
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.inspect import Supply
from tempo_infra.deploy.kept import described
from tempo_infra.deploy.resume import ask_status
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.run import Outcome
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.inventory.load import loads
from tempo_infra.on_host.condition import Container
from tempo_infra.on_host.state import Docker, HostState
from tempo_infra.on_host.steps import change
from tempo_infra.render import render
from tempo_infra.render.bundle import Bundle
from tempo_infra.secrets import TEMPORAL_DB, Secret
from tempo_infra.sizing import size
from tests.fakes import FakeHosts
from tests.unit.deploy.test_plan import FRESH

INVENTORIES = Path(__file__).parents[3] / "inventory"
DIGEST = f"sha256:{'d' * 64}"
ONE_HOST = (INVENTORIES / "single.yaml").read_text()
SECRETS = Supply({TEMPORAL_DB: Secret(TEMPORAL_DB, "the password")})


def pinned(cluster: Cluster) -> Cluster:
    return cluster.pinned(dict.fromkeys(cluster.image_names, DIGEST))


@functools.cache
def trio() -> tuple[Cluster, tuple[Bundle, ...]]:
    cluster = pinned(load(INVENTORIES / "oslo-trio.yaml"))
    return cluster, render(cluster, size(cluster))


def fresh(cluster: Cluster) -> dict[str, HostState]:
    return {
        host.name: replace(FRESH, hostname=host.name, addresses=[host.internal], installed={})
        for host in cluster.hosts
    }


def pushed(cluster: Cluster, bundles: tuple[Bundle, ...]) -> dict[str, HostState]:
    """The states of hosts on which everything is as it should be, secrets apart."""
    states = {}
    record = described(cluster, "r0", {one.host: (one.digest, "") for one in bundles}, cluster.digest)
    for host, made in zip(cluster.hosts, bundles, strict=True):
        kept = [(name, one.image) for name, one in made.instances.items() if not one.job]
        states[host.name] = replace(
            FRESH,
            addresses=[host.internal],
            generation=made.digest,
            confirmed=made.digest,
            manifest=made.manifest.text.decode(),
            installed={file.path: file.sha256 for file in made.files if file.path.startswith("etc/")},
            containers=[
                Container(name, name, running=True, started_at="", image=image) for name, image in kept
            ],
            data_version="17",
            system_identifier="7712",
            images=list(made.images),
            record=record,
        )
    return states


def run(hosts: FakeHosts, cluster: Cluster, bundles: tuple[Bundle, ...]) -> tuple[Outcome, list[Progress]]:
    seen: list[Progress] = []
    with Fleet(hosts.open, seen.append) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet)
        return rollout.apply(rollout.plan(cluster.hosts), seen.append), seen


@pytest.mark.parametrize(
    "harm",
    [
        {"docker": Docker("9" * 5000, "2.30.0")},
        {"docker": Docker("28.0.0", "\u0669" * 40)},
        {"manifest": "[" * 100_000},
        {"manifest": '{"files": {"a": {"sha256": ' + "9" * 5000 + '}}, "services": {}}'},
        {"containers": [None]},
        {"restarts": {"history": [None]}},
        {"restarts": {"history": ["nan"]}},
        {"state_free_bytes": "9" * 4000},
        {"live": {"members": [{"role": "history", "address": "10.0.0.44", "ago_s": "9" * 4000}]}},
    ],
    ids=["version", "digits", "depth", "number", "container", "restart", "nan", "quoted", "age"],
)
def test_what_a_host_says_of_itself_ends_no_other_hosts_plan(harm: dict[str, object]) -> None:
    cluster, bundles = trio()
    states = fresh(cluster)
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet)
        states["db-1"] = replace(states["db-1"], **harm)  # type: ignore[arg-type]  # harm is
        found = rollout.plan(cluster.hosts)
    assert [one.host for one in found.hosts if one.host != "db-1"] == ["front-1", "history-1"]
    assert all(error.host == "db-1" for error in found.errors.values())


@pytest.mark.parametrize(
    "answer",
    [
        {"decides_in_s": "nan"},
        {"decides_in_s": "inf"},
        {"decides_in_s": "9" * 4000},
        {"entries": [{"run": "r1", "step": "restart", "result": "done", "seconds": "nan"}]},
        {"zero": "yes"},
        {"zero": 1},
    ],
    ids=["nan", "inf", "long", "entry", "word", "one"],
)
def test_a_number_in_quotes_is_none(answer: dict[str, object]) -> None:
    cluster, _ = trio()
    well = {"current": None, "confirmed": None, "last_good": None}
    hosts = FakeHosts({}, answers={"runs": well}, answers_of={"db-1": well | answer})
    with Fleet(hosts.open, lambda _: None) as fleet:
        found, errors = ask_status(fleet, cluster.hosts)
    assert list(found) == ["front-1", "history-1"]
    assert list(errors) == ["db-1"]
    assert next(iter(answer)) in errors["db-1"].what


def test_nothing_runs_before_every_host_is_prepared_and_the_database_comes_first() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    outcome, _ = run(hosts, cluster, bundles)
    assert outcome.ok
    order = hosts.asked
    first_switch = next(i for i, (_, step) in enumerate(order) if step == "switch")
    prepared = {host for host, step in order[:first_switch] if step == "stage"}
    assert prepared == {host.name for host in cluster.hosts}
    assert order[first_switch][0] == "db-1"
    assert order.index(("db-1", "schema")) < order.index(("history-1", "switch"))
    assert order.index(("history-1", "serving")) < order.index(("front-1", "switch"))


def test_a_secret_that_is_generated_after_the_plan_is_part_of_the_generation_that_is_staged() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    with Fleet(hosts.open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, Supply({}, missing=(TEMPORAL_DB,)), fleet)
        plan = rollout.plan(cluster.hosts)
        assert {one.new for host in plan.hosts for one in host.secrets} == {"generated"}
        rollout.supply(SECRETS)
        assert rollout.apply(plan, lambda _: None).ok
    meant = {one.host: one.digest for one in render(cluster, size(cluster), known=SECRETS.known)}
    assert meant.items().isdisjoint({one.host: one.digest for one in bundles}.items())
    for step in ("stage", "validate", "arm", "switch"):
        assert {name: one.arguments["digest"] for name, one in hosts.given if one.name == step} == meant


def test_a_host_that_keeps_the_database_alone_stops_what_left_it() -> None:
    """No other step would: what has moved to other hosts would run here, too, and be a member."""
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    assert run(hosts, cluster, bundles)[0].ok
    [up] = [step.arguments for host, step in hosts.given if (host, step.name) == ("db-1", "up")]
    assert (up["services"], up["remove_orphans"]) == (["postgresql"], True)
    solo = pinned(loads(ONE_HOST, Path("one.yaml")))
    hosts = FakeHosts(fresh(solo))
    assert run(hosts, solo, render(solo, size(solo)))[0].ok
    first, *_, last = [step.arguments for _, step in hosts.given if step.name == "up"]
    assert (first["services"], first["remove_orphans"], last["remove_orphans"]) == (
        ["postgresql"],
        False,
        True,
    )


def begun(hosts: FakeHosts) -> list[tuple[str, list[str]]]:
    """(host, services) of each start of Temporal's services, in order."""
    return [
        (host, step.arguments["services"])
        for host, step in hosts.given
        if step.name == "up" and step.arguments["services"] != ["postgresql"]
    ]


def test_a_cluster_begins_with_one_service_of_temporal() -> None:
    """On an empty database, and after a full stop; all together write the same row, or join who is gone."""
    cluster = loads(ONE_HOST, Path("one.yaml"))
    cluster = pinned(cluster)
    bundles = render(cluster, size(cluster))
    hosts = FakeHosts(fresh(cluster))
    assert run(hosts, cluster, bundles)[0].ok
    assert begun(hosts) == [
        ("solo-1", ["history"]),
        ("solo-1", ["history", "matching", "worker", "frontend", "ui"]),
    ]
    steps = hosts.steps_of("solo-1")
    assert steps.index("schema") < steps.index("members-gone") < steps.index("serving")
    assert steps.count("serving") == 2


def test_it_does_not_begin_with_a_service_that_needs_another_one() -> None:
    text = (INVENTORIES / "oslo-trio.yaml").read_text()
    cluster = pinned(loads(text.replace("[history]", "[history, frontend]"), Path("trio.yaml")))
    hosts = FakeHosts(fresh(cluster))
    assert run(hosts, cluster, render(cluster, size(cluster)))[0].ok
    assert begun(hosts)[:2] == [
        ("history-1", ["history"]),
        ("history-1", ["history", "frontend"]),
    ]
    text = text.replace("[frontend, matching, worker, ui]", "[worker, frontend]")
    cluster = pinned(loads(text.replace("[history]", "[history, matching, frontend, ui]"), Path("trio.yaml")))
    hosts = FakeHosts(fresh(cluster))
    assert run(hosts, cluster, render(cluster, size(cluster)))[0].ok
    assert begun(hosts) == [
        ("history-1", ["history"]),
        ("history-1", ["history", "matching", "frontend", "ui"]),
        ("front-1", ["worker", "frontend"]),
    ]


def test_a_service_that_needs_others_waits_for_those_of_later_hosts() -> None:
    """Both hosts have a frontend, one the worker service, which serves with the matching of the other."""
    text = (INVENTORIES / "oslo-trio.yaml").read_text()
    text = text.replace("[frontend, matching, worker, ui]", "[history, worker, frontend]")
    cluster = pinned(loads(text.replace("[history]", "[matching, frontend]"), Path("trio.yaml")))
    hosts = FakeHosts(fresh(cluster))
    assert run(hosts, cluster, render(cluster, size(cluster)))[0].ok
    assert begun(hosts) == [
        ("front-1", ["history"]),
        ("front-1", ["history", "frontend"]),
        ("history-1", ["matching", "frontend"]),
        ("front-1", ["history", "worker", "frontend"]),
    ]
    waited = [step for host, step in hosts.given if host == "front-1"]
    asked = [list(step.ports) for step in waited if isinstance(step, change.Serving)]
    assert asked == [["history"], ["history", "frontend"], ["history", "worker", "frontend"]]
    assert hosts.steps_of("front-1").count("healthy") == 1  # with the worker, and not before


def test_namespaces_are_made_from_a_frontend_that_runs_whichever_comes_first() -> None:
    text = (INVENTORIES / "oslo-trio.yaml").read_text()
    cluster = pinned(loads(text.replace("[history]", "[history, frontend]"), Path("trio.yaml")))
    bundles = render(cluster, size(cluster))
    states = pushed(cluster, bundles)
    down = [one for one in states["front-1"].containers if one.service != "frontend"]
    states["front-1"] = replace(states["front-1"], containers=down)
    live = replace(states["db-1"].live, namespaces=[("temporal-system", 1)])
    states["db-1"] = replace(states["db-1"], live=live)
    hosts = FakeHosts(states)
    assert run(hosts, cluster, bundles)[0].ok
    assert [host for host, step in hosts.asked if step == "namespaces"] == ["history-1"]


@pytest.mark.parametrize(("still", "together"), [("history", True), ("ui", False), ("postgresql", False)])
def test_only_a_whole_cluster_that_stands_still_begins_anew(still: str, *, together: bool) -> None:
    cluster = pinned(loads(ONE_HOST, Path("one.yaml")))
    bundles = render(cluster, size(cluster))
    states = pushed(cluster, bundles)
    left = [one for one in states["solo-1"].containers if one.service == still]
    hosts = FakeHosts({"solo-1": replace(states["solo-1"], containers=left)})
    assert run(hosts, cluster, bundles)[0].ok
    assert (len(begun(hosts)) == 1) is together
    assert ("members-gone" not in hosts.steps_of("solo-1")) is together


@pytest.mark.parametrize("host", ["front-1", "history-1", "db-1"])
def test_on_each_host_the_order_of_the_steps_is_the_promise(host: str) -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    run(hosts, cluster, bundles)
    steps = hosts.steps_of(host)
    wanted = ["preflight", "stage", "validate", "pull", "switch", "up", "confirm"]
    assert [step for step in steps if step in wanted] == wanted


def test_a_failure_while_preparing_leaves_every_running_service_alone() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster), fails={("history-1", "pull")})
    outcome, seen = run(hosts, cluster, bundles)
    assert not outcome.ok
    assert "switch" not in {step for _, step in hosts.asked}
    assert [p for p in seen if p.state is State.FAILED] == [
        Progress("history-1", "pull", State.FAILED, detail="scripted")
    ]


def test_a_database_that_fails_keeps_temporal_hosts_as_they_were() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster), fails={("db-1", "postgres-ready")})
    outcome, _ = run(hosts, cluster, bundles)
    assert outcome.not_started == ("front-1", "history-1")
    assert {host for host, step in hosts.asked if step == "switch"} == {"db-1"}
    assert "confirm" not in {step for _, step in hosts.asked}


def test_hosts_without_changes_are_not_touched() -> None:
    cluster, bundles = trio()
    states = pushed(cluster, bundles)
    states["history-1"] = replace(states["history-1"], containers=[])
    no_secrets: dict[str, HostState] = states
    hosts = FakeHosts(no_secrets)
    with Fleet(hosts.open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet)
        plan = rollout.plan(cluster.hosts)
        quiet = replace(plan, hosts=tuple(replace(one, secrets=()) for one in plan.hosts))
        outcome = rollout.apply(quiet, lambda _: None)
    assert outcome.done == ("history-1",)
    assert {host for host, step in hosts.asked if step == "lock"} == {"history-1"}
    assert hosts.steps_of("front-1") == ["ring"]  # its frontend says who is in it
    assert hosts.steps_of("db-1") == ["local-login", "membership"]
    assert hosts.asked.index(("db-1", "local-login")) < hosts.asked.index(("history-1", "stage"))


def test_every_host_is_armed_before_its_switch_and_found_healthy_before_any_is_confirmed() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    run(hosts, cluster, bundles)
    first_confirm = next(i for i, (_, step) in enumerate(hosts.asked) if step == "confirm")
    for host in cluster.hosts:
        steps = hosts.steps_of(host.name)
        assert steps.index("arm") == steps.index("switch") - 1
        assert hosts.asked.index((host.name, "healthy")) < first_confirm
        assert hosts.asked.index((host.name, "still")) < first_confirm


@pytest.mark.parametrize("failing", [("front-1", "serving"), ("db-1", "membership"), ("history-1", "still")])
def test_after_a_failure_every_other_switched_host_is_put_back_the_database_last(
    failing: tuple[str, str],
) -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster), fails={failing})
    outcome, _ = run(hosts, cluster, bundles)
    assert "confirm" not in {step for _, step in hosts.asked}
    back = [host for host, step in hosts.asked if step == "rollback"]
    assert set(back) == {host.name for host in cluster.hosts}
    assert back[-1] == "db-1"
    assert not outcome.ok


def test_a_host_whose_connection_goes_while_it_is_told_to_go_back_decides_by_itself() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster), fails={("front-1", "serving")}, lost={("history-1", "rollback")})
    outcome, _ = run(hosts, cluster, bundles)
    assert sorted(outcome.errors) == ["front-1", "history-1"]
    assert {name: lost.step for name, lost in outcome.lost.items()} == {"history-1": "rollback"}


@pytest.mark.parametrize("answer", [["x"], None, 7, {"now": [1]}])
def test_a_host_that_answers_anything_while_it_is_put_back_keeps_no_other_from_it(answer: object) -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(
        fresh(cluster),
        fails={("front-1", "serving")},
        answers={"rollback": {"now": "back on 1"}},
        answers_of={"history-1": answer},
    )
    outcome, _ = run(hosts, cluster, bundles)
    assert sorted(outcome.errors) == ["front-1", "history-1"]
    assert "history-1" in outcome.lost  # nobody knows what it is now
    assert outcome.now["db-1"] == "back on 1"


def test_a_run_that_is_stopped_puts_back_what_is_not_confirmed() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster))
    with Fleet(hosts.open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet)
        plan = rollout.plan(cluster.hosts)

        def stop_at_switch(progress: Progress) -> None:
            if progress.step == "switch":
                rollout.stop()

        fleet.report = stop_at_switch
        outcome = rollout.apply(plan, lambda _: None)
    assert outcome.interrupted
    assert not outcome.ok
    assert hosts.steps_of("db-1")[-1] == "rollback"
    assert "switch" not in hosts.steps_of("history-1")
    assert outcome.not_started == ("front-1", "history-1")


def test_a_worker_service_without_a_frontend_beside_it_starts_after_the_frontends() -> None:
    """It does not serve before a frontend does: in the other order a first run would wait for ever."""
    text = (
        (INVENTORIES / "oslo-trio.yaml").read_text().replace("roles: [history]", "roles: [history, worker]")
    )
    cluster = loads(text, INVENTORIES / "oslo-trio.yaml")
    hosts = FakeHosts(fresh(cluster))
    outcome, _ = run(hosts, cluster, render(cluster, size(cluster)))
    assert outcome.ok
    assert hosts.asked.index(("front-1", "serving")) < hosts.asked.index(("history-1", "switch"))


def test_a_login_is_tried_before_a_host_of_temporal_is_armed() -> None:
    cluster, bundles = trio()
    hosts = FakeHosts(fresh(cluster), fails={("history-1", "login")})
    outcome, _ = run(hosts, cluster, bundles)
    assert not outcome.ok
    assert "arm" not in hosts.steps_of("history-1")
    assert hosts.steps_of("db-1")[-1] == "rollback"


def edited(states: dict[str, HostState], *names: str) -> dict[str, HostState]:
    """The same hosts, with an owned system file taken away on some."""
    path = "etc/sysctl.d/60-tempo-infra.conf"
    return {
        name: replace(state, installed=state.installed | {path: None}) if name in names else state
        for name, state in states.items()
    }


def applied(
    cluster: Cluster, bundles: tuple[Bundle, ...], states: dict[str, HostState], fails: set[tuple[str, str]]
) -> tuple[FakeHosts, Outcome]:
    hosts = FakeHosts(states, fails=fails)
    with Fleet(hosts.open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet)
        plan = rollout.plan(cluster.hosts)
        quiet = replace(plan, hosts=tuple(replace(one, secrets=()) for one in plan.hosts))
        return hosts, rollout.apply(quiet, lambda _: None)


def test_owned_files_alone_take_three_requests_a_host_and_leave_docker_out_of_it() -> None:
    cluster, bundles = trio()
    names = [host.name for host in cluster.hosts]
    hosts, outcome = applied(cluster, bundles, edited(pushed(cluster, bundles), *names), set())
    assert outcome.ok
    for name in names:
        assert hosts.steps_of(name) == [
            "lock",
            "lock",
            "note",
            "preflight",
            "stage",
            "arm",
            "switch",
            "healthy",
            "confirm",
        ]
    order = [host for host, step in hosts.asked if step == "switch"]
    first_confirm = next(i for i, (_, step) in enumerate(hosts.asked) if step == "confirm")
    assert all(hosts.asked.index((name, "healthy")) < first_confirm for name in names)
    assert hosts.asked.index((order[0], "healthy")) < hosts.asked.index((order[1], "arm"))


def test_a_host_of_which_files_alone_change_is_put_back_with_the_others() -> None:
    cluster, bundles = trio()
    states = edited(pushed(cluster, bundles), "front-1")
    states["history-1"] = replace(states["history-1"], containers=[])
    hosts, outcome = applied(cluster, bundles, states, {("db-1", "membership")})
    assert not outcome.ok
    assert hosts.steps_of("front-1")[1:7] == ["lock", "note", "preflight", "stage", "arm", "switch"]
    assert hosts.steps_of("front-1")[-1] == "rollback"
    assert hosts.steps_of("history-1")[-1] == "rollback"
    assert "namespaces" not in hosts.steps_of("front-1")


def test_containers_of_a_files_only_host_are_looked_at_again_after_others_restarted() -> None:
    cluster, bundles = trio()
    states = edited(pushed(cluster, bundles), "front-1")
    states["history-1"] = replace(states["history-1"], containers=[])
    hosts, outcome = applied(cluster, bundles, states, set())
    assert outcome.ok
    assert hosts.steps_of("front-1")[-2:] == ["still", "confirm"]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (2, [1, 1]), (14, [1, 10, 3])])
def test_hosts_of_which_files_alone_change_come_after_a_canary_some_at_a_time(
    count: int, sizes: list[int]
) -> None:
    names = [str(number) for number in range(count)]
    found = batches.of_files(names)
    assert [len(batch) for batch in found] == sizes
    assert [name for batch in found for name in batch] == names
