"""What a push does to services: named exactly when it happens, and with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.deploy.plan import HostPlan, plan_host, warnings
from tempo_infra.deploy.run import Plan
from tempo_infra.deploy.steps import Work, _up
from tempo_infra.on_host.condition import Container
from tempo_infra.on_host.engine_here import Unfit
from tempo_infra.on_host.ownership import Wrong
from tempo_infra.on_host.state import Docker, HostState
from tempo_infra.render.bundle import Bundle
from tempo_infra.report.changes import plan_lines
from tempo_infra.report.drift import drift_lines, drift_of
from tests.unit.deploy.test_plan import HOST, after, bundle, container, seen_from
from tests.unit.sizing.clusters import trio

MADE = {"postgresql": "c1", "ui": "c2"}  # what compose makes of the file
OLD_S = 3600.0


def ran(**changes: object) -> HostState:
    """A host on which all is well, but for its PostgreSQL container."""
    database = replace(by_compose("postgresql"), **changes)  # type: ignore[arg-type]  # a row's fields
    return replace(well(), containers=[database, by_compose("ui")])


def well() -> HostState:
    made = after(bundle())
    return replace(
        made,
        docker=Docker("28.1.0", "2.35.0-4"),
        configs=MADE,
        configs_now=MADE,
        containers=[by_compose("postgresql"), by_compose("ui")],
    )


def by_compose(service: str) -> Container:
    return replace(
        container(service), config=MADE[service], image_id="sha256:1", compose="2.35.0", since_s=OLD_S
    )


def planned(state: HostState, new: Bundle | None = None) -> HostPlan:
    return plan_host(HOST, new or bundle(), state, {})


def said(state: HostState) -> str:
    return "\n".join(drift_lines("db-1", drift_of(state)))


def test_nothing_is_said_of_services_that_are_as_they_should_be() -> None:
    assert planned(well()).is_noop
    assert said(well()) == ""


@pytest.mark.parametrize(
    ("change", "words", "anew"),
    [
        ({"running": False, "state": "exited", "exit_code": 137}, "ended with exit code 137", False),
        ({"running": False, "state": "created", "said": "OCI"}, "made and never started: OCI", False),
        ({"running": False, "state": "restarting", "exit_code": 1}, "restarting, exit code 1", True),
        ({"running": False, "state": "paused"}, "paused", True),
        ({"running": False, "state": "dead"}, "dead", True),
    ],
)
def test_what_does_not_run_is_started_and_its_history_said(
    change: dict[str, object], words: str, anew: bool
) -> None:
    plan = planned(ran(**change))
    assert (plan.starts, plan.restarts) == (("postgresql",), ())
    assert plan.found["postgresql"].startswith(words)
    assert plan.recreates == (("postgresql",) if anew else ())
    assert f"✗ postgresql: {words}" in said(ran(**change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"health": "unhealthy"}, "unhealthy, by its health check"),
        ({"silent": "timed out"}, "runs and does not serve: timed out"),
        ({"silent": "refused", "restarts": 3, "since_s": 2.0}, "ended 3 times by itself"),
    ],
)
def test_what_runs_and_does_not_do_its_work_is_made_anew(change: dict[str, object], words: str) -> None:
    plan = planned(ran(**change))
    [restart] = plan.restarts
    assert (restart.service, plan.recreates, plan.starts) == ("postgresql", ("postgresql",), ())
    assert restart.why.startswith(words)
    assert f"✗ postgresql: {words}" in said(ran(**change))


def test_compose_is_told_to_make_anew_what_it_would_leave() -> None:
    plan = planned(ran(health="unhealthy"))
    step = _up(Work(trio(), HOST, bundle(), plan, "r1", "me"), ["postgresql", "ui"])
    assert step.arguments["recreate"] == ["postgresql"]


def test_one_that_was_just_started_is_waited_for() -> None:
    state = ran(silent="NOT_SERVING", since_s=12.0)
    plan = planned(state)
    assert (plan.restarts, plan.starts, plan.recreates) == ((), (), ())
    assert plan.notes == ("postgresql was started 12 s ago and does not serve yet: it is waited for",)
    assert not plan.is_noop
    assert "was started 12 s ago and does not serve yet" in said(state)


def test_a_container_that_is_gone_is_said_where_it_was_provisioned() -> None:
    state = replace(well(), containers=[by_compose("ui")])
    plan = planned(state)
    assert (plan.starts, plan.found) == (("postgresql",), {"postgresql": "its container is gone"})
    assert "✗ postgresql: its container is gone" in said(state)


def test_one_made_by_hand_of_something_else_is_said_and_made_anew() -> None:
    words = "runs with another configuration than its generation's"
    assert [one.why for one in planned(ran(config="c9")).restarts] == [f"it {words}"]
    assert f"✗ postgresql: {words}" in said(ran(config="c9"))
    assert "✗ postgresql: runs postgres:18, not postgres:17" in said(ran(config="c9", image="postgres:18"))


def test_an_image_that_was_pulled_anew_is_what_compose_would_take() -> None:
    plan = planned(replace(well(), image_ids={"postgres:17": "sha256:2", "ui": "sha256:1"}))
    assert [(one.service, one.why) for one in plan.restarts] == [
        ("postgresql", "its image names another content by now")
    ]


def test_who_is_left_as_he_is_by_compose_is_not_named() -> None:
    """After `eject`, or with the link `current` gone, nothing says what was here but the containers."""
    nothing = replace(well(), manifest="", generation=None, confirmed=None, texts={}, configs_now={})
    plan = planned(nothing)
    assert (plan.restarts, plan.starts) == ((), ())
    assert len(plan.changes) == 3
    others = replace(nothing, configs={**MADE, "ui": "c9"})
    assert [one.service for one in planned(others).restarts] == ["ui"]


def test_a_host_that_can_not_say_what_compose_makes_is_judged_by_the_texts() -> None:
    old, new = bundle(), bundle("a = 2\n", "bbbbbbbbbbbb")
    state = replace(seen_from(after(old), old, new), configs={}, configs_now={})
    assert [one.service for one in planned(state, new).restarts] == ["postgresql"]


NEWER = {"postgresql": "d1", "ui": "d2"}  # what a newer compose makes of the same file


def test_another_version_of_compose_restarts_all_but_only_along_with_a_change() -> None:
    state = replace(well(), configs=NEWER, configs_now=NEWER, docker=Docker("28.1.0", "2.40.0"))
    assert planned(state).is_noop
    assert said(state) == ""
    plan = planned(replace(state, secrets={"temporal/db_password": None}, leftovers=1))
    assert [one.service for one in plan.restarts] == ["postgresql", "ui"]


def test_a_stopped_engine_is_drift_and_no_container_is_said_to_be_gone() -> None:
    stopped = Docker(None, None, [Unfit("docker-ce is stopped", "systemctl start docker")])
    state = replace(well(), containers=[], docker=stopped, configs={}, configs_now={})
    assert said(state).splitlines() == [
        "db-1",
        "  ✗ the Docker engine: does not answer, so nobody knows what runs: docker-ce is stopped",
    ]
    assert planned(state).found == {}
    assert planned(state).problems


def test_the_plan_says_why_a_service_is_started() -> None:
    state = ran(running=False, state="restarting", exit_code=1, restarts=8)
    lines = "\n".join(plan_lines(Plan((planned(state),), {}, {}), diffs=False))
    assert "starts postgresql: restarting, exit code 1: it has ended 8 times" in lines


@pytest.mark.parametrize(("state", "holds"), [("paused", True), ("restarting", True), ("exited", False)])
def test_a_container_that_holds_its_ports_is_not_in_its_own_way(state: str, holds: bool) -> None:
    one = replace(by_compose("ui"), running=False, state=state, ports=["10.0.0.13:8080"])
    listens = replace(bundle().instances["ui"], listens=("10.0.0.13:8080",))
    wanted = replace(bundle(), instances={**bundle().instances, "ui": listens})
    plan = planned(replace(well(), containers=[by_compose("postgresql"), one]), wanted)
    assert plan.bind == (() if holds else ("10.0.0.13:8080",))


SECRET = Wrong("/var/lib/tempo-infra/secrets/temporal/db_password", "mode 0444", "0400", "mode")
HBA = Wrong(
    "/var/lib/tempo-infra/services/postgresql-aaaaaaaaaaaa/postgresql.conf", "mode 0600", "0644", "mode"
)
OLD = Wrong(
    "/var/lib/tempo-infra/services/postgresql-bbbbbbbbbbbb/postgresql.conf", "mode 0600", "0644", "mode"
)
SYSCTL = Wrong("/etc/sysctl.d/60-tempo-infra.conf", "mode 0666", "0644", "mode")


@pytest.mark.parametrize(("one", "files_only"), [(SECRET, False), (HBA, False), (SYSCTL, True)])
def test_a_wrong_mode_is_said_and_put_right_without_being_asked_for(one: Wrong, files_only: bool) -> None:
    state = replace(well(), wrong=[one], images=list(bundle().images))
    plan = planned(state)
    assert (plan.wrong, plan.problems, plan.restarts, plan.take_over) == ((one,), (), (), ())
    assert (plan.is_noop, plan.files_only) == (False, files_only)
    assert f"{one.found}, should be {one.wanted}" in said(state)
    lines = " ".join("\n".join(plan_lines(Plan((plan,), {}, {}), diffs=False)).split())
    assert f"~ {one.path} {one.found}, should be {one.wanted}" in lines


def test_what_only_an_older_generation_reads_is_left() -> None:
    state = replace(well(), wrong=[OLD])
    assert planned(state).is_noop
    assert OLD.path in said(state)


@pytest.mark.parametrize(
    "one",
    [
        replace(SYSCTL, found="immutable", wanted="changeable: chattr -ia it", kind="immutable"),
        replace(SYSCTL, found="a link", wanted="a file", kind="kind"),
        replace(HBA, path=HBA.path.rpartition("/")[0], found="a link", wanted="a folder", kind="kind"),
    ],
)
def test_what_only_a_person_can_put_right_stands_in_the_way_of_a_change_alone(one: Wrong) -> None:
    state = replace(well(), wrong=[one])
    assert planned(state).is_noop
    assert planned(state).problems == ()
    assert str(one) in said(state)
    [problem] = planned(replace(state, leftovers=1)).problems
    assert problem == str(one)


def test_a_folder_above_that_is_open_to_all_is_a_warning() -> None:
    state = replace(well(), wrong=[Wrong("/etc", "mode 0777", "not writable by everybody", "above")])
    assert planned(state).is_noop
    assert (
        "others may replace what is ours: /etc: mode 0777, should be not writable by everybody"
        in warnings(state)
    )
    assert "/etc: mode 0777" in said(state)


def live(conf: str) -> Bundle:
    """A bundle whose PostgreSQL reads its configuration anew: the folder keeps its name."""
    made = bundle(conf)
    files = tuple(replace(file, live=True) if "postgresql.conf" in file.path else file for file in made.files)
    return replace(made, files=files)


def reloaded(old: Bundle, new: Bundle, **changes: object) -> HostPlan:
    state = replace(
        well(),
        manifest=old.manifest.text.decode(),
        generation=old.digest,
        confirmed=old.digest,
        **changes,  # type: ignore[arg-type]  # a row's fields
    )
    return planned(seen_from(state, old, new), new)


def test_what_a_server_reads_anew_is_named_as_a_reload_and_restarts_nothing() -> None:
    plan = reloaded(live("a = 1\n"), live("a = 2\n"))
    assert [(one.service, one.files) for one in plan.reloads] == [("postgresql", ("postgresql.conf",))]
    assert (plan.restarts, plan.starts, plan.files_only, plan.is_noop) == ((), (), False, False)
    assert [(one.path, one.effect) for one in plan.changes] == [
        ("services/postgresql/postgresql.conf", "reloaded by postgresql")
    ]
    lines = "\n".join(plan_lines(Plan((plan,), {}, {}), diffs=False))
    assert "reloads postgresql: postgresql.conf; it runs on" in lines
    assert "0 services restart" in lines
    assert "1 service reload" in lines


def test_a_service_that_is_made_anew_or_does_not_run_reloads_nothing() -> None:
    broken = [replace(by_compose("postgresql"), health="unhealthy"), by_compose("ui")]
    plan = reloaded(live("a = 1\n"), live("a = 2\n"), containers=broken)
    assert ([one.service for one in plan.restarts], plan.reloads) == (["postgresql"], ())
    plan = reloaded(live("a = 1\n"), live("a = 2\n"), containers=[by_compose("ui")])
    assert (plan.starts, plan.reloads) == (("postgresql",), ())


def test_a_file_that_is_read_once_reloads_nothing() -> None:
    plan = reloaded(bundle("a = 1\n"), bundle("a = 2\n"))
    assert plan.reloads == ()
