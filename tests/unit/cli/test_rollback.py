"""`rollback` at the command line: what is shown and asked before, and what contacts nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.deploy import rollback as module
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.plan import Action, Change, HostPlan
from tempo_infra.deploy.rollback import Gone
from tempo_infra.deploy.run import Plan
from tempo_infra.deploy.way_back import WayBack
from tempo_infra.errors import InputError, StepFailedError
from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.sizing import size

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


def ran(*words: str) -> InputError:
    result = CliRunner().invoke(app, ["rollback", "-i", str(EXAMPLE), "--to", "0", *words])
    assert isinstance(result.exception, InputError), result.output
    return result.exception


@pytest.mark.parametrize("words", [(), ("--confirm-rollback", "another")])
def test_without_the_clusters_name_nothing_is_contacted(words: tuple[str, ...]) -> None:
    assert ran(*words).remedy == "nothing was contacted"


def test_without_a_terminal_the_option_is_named() -> None:
    assert "--confirm-rollback oslo" in ran().what


def test_the_database_host_does_not_go_to_generation_0_alone() -> None:
    told = ran("--host", "db-1", "--confirm-rollback", "oslo")
    assert "db-1 holds the database of front-1, history-1" in told.what


@pytest.mark.parametrize("begun", [True, False])
def test_who_interrupts_it_is_told_who_decides_now_when_something_was_begun(
    monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    def interrupted(fleet: Fleet, *_: object) -> None:
        fleet.begun = begun
        raise KeyboardInterrupt

    way = WayBack({"front-1": "a" * 64}, {"front-1": "b" * 64}, {})
    monkeypatch.setattr("tempo_infra.deploy.way_back.way_back", lambda *_: way)
    monkeypatch.setattr("tempo_infra.deploy.preview.preview", lambda *_: (Plan((), {}, {}), {}))
    monkeypatch.setattr(module, "roll_back", interrupted)
    result = CliRunner().invoke(app, ["rollback", "-i", str(EXAMPLE), "--host", "front-1"])
    assert result.exit_code == (
        1 if begun else 130
    )  # of the runner: else `main` says "interrupted", and ends with 1
    assert ("a host that was switched decides by itself" in result.output) is begun
    assert (f"tempo-infra status -i {EXAMPLE}" in result.output) is begun


@pytest.mark.parametrize(
    ("changed", "says"), [({}, False), ({"front-1": "b" * 64}, True), ({"db-1": "0"}, True)]
)
def test_the_inventory_is_said_to_differ_only_where_it_does(changed: dict[str, str], says: bool) -> None:
    cluster = load(EXAMPLE)
    meant = {one.host: one.digest for one in render(cluster, size(cluster))}
    assert module.says_otherwise(cluster, WayBack({**meant, **changed}, {}, {})) is says


def test_an_inventory_that_renders_no_more_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "oslo.yaml"
    path.write_text(EXAMPLE.read_text())
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/limits.conf.j2").write_text("{{ nothing_like_it }}")
    assert module.says_otherwise(load(path), WayBack({"db-1": "a" * 64}, {}, {}))


@pytest.mark.parametrize("words", [["front-1"], ["--to", "current"], ["7f3a9c01", "--to", "0"], ["--to", ""]])
def test_what_is_no_run_or_generation_by_its_form_contacts_nobody(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    def contacted(*_: object, **__: object) -> None:
        raise AssertionError("a host was asked")

    monkeypatch.setattr("tempo_infra.cli.resume.reached", contacted)
    result = CliRunner().invoke(app, ["rollback", "-i", str(EXAMPLE), *words])
    assert isinstance(result.exception, InputError), result.output
    assert "tempo-infra history" in result.exception.remedy or "not both" in result.exception.remedy


A, B = "a" * 64, "b" * 64
NOTE = "front-1: generation aaaaaaaaaaaa was made before front-2 (10.0.0.14) was a member"


def shown(
    monkeypatch: pytest.MonkeyPatch,
    way: WayBack,
    *words: str,
    unable: dict[str, StepFailedError] | None = None,
) -> tuple[int, str, list[str]]:
    """Run it on a way that was found; its exit code, what it said, and whether it went."""
    went: list[str] = []

    def gone(*_: object) -> Gone:
        went.extend(way.to)
        return Gone("c0ffee00", {}, {})

    change = Change("etc/sysctl.d/60-tempo-infra.conf", Action.UPDATE, "sysctl", "-vm.swappiness = 1\n")
    plan = Plan((HostPlan("front-1", A, changes=(change,)),), {}, {})
    monkeypatch.setattr("tempo_infra.deploy.way_back.way_back", lambda *_: way)
    monkeypatch.setattr("tempo_infra.deploy.preview.preview", lambda *_: (plan, unable or {}))
    monkeypatch.setattr(module, "roll_back", gone)
    result = CliRunner().invoke(app, ["rollback", "-i", str(EXAMPLE), *words])
    return result.exit_code, result.output, went


def test_it_shows_the_run_each_host_and_what_changes_before_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    now: dict[str, str | None] = {"front-1": B, "db-1": B, "history-1": B}
    way = WayBack(
        {"front-1": A, "history-1": "0"},
        now,
        {"db-1": "was not changed by run 7f3a9c01"},
        run="7f3a9c01",
        notes=(NOTE,),
        who="kari@vm",
        at="2026-11-30T02:00:00Z",
    )
    code, said, went = shown(monkeypatch, way, "7f3a9c01")
    lines = said.splitlines()
    assert (code, went) == (0, ["front-1", "history-1"])
    assert lines[:5] == [
        "takes back run 7f3a9c01 of kari@vm, 2026-11-30T02:00:00Z",
        "front-1     from bbbbbbbbbbbb to aaaaaaaaaaaa",
        "history-1   from bbbbbbbbbbbb to what was there before the first provision",
        "              (generation 0); its services stop, its data stays",
        "db-1        was not changed by run 7f3a9c01",
    ]
    assert "~ etc/sysctl.d/60-tempo-infra.conf sysctl" in [" ".join(line.split()) for line in lines]
    assert "! front-1: generation aaaaaaaaaaaa was made before front-2 (10.0.0.14) was a" in lines
    assert "front-1     back on aaaaaaaaaaaa" in lines
    assert "-vm.swappiness" not in said
    assert max(map(len, said.split("stay as they are")[0].splitlines())) <= 80


def test_a_dry_run_shows_each_difference_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said, went = shown(monkeypatch, WayBack({"front-1": A}, {"front-1": B}, {}), "--dry-run")
    assert (code, went) == (0, [])
    assert "-vm.swappiness = 1" in said


def test_who_does_not_agree_keeps_everything_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(lines: object, *, yes: bool) -> None:
        if not yes:
            raise typer.Exit(1)

    monkeypatch.setattr("tempo_infra.cli.confirmation.go_on", no)
    way = WayBack({"front-1": A}, {"front-1": B}, {})
    assert shown(monkeypatch, way)[::2] == (1, [])
    assert shown(monkeypatch, way, "--yes")[::2] == (0, ["front-1"])


@pytest.mark.parametrize("words", [(), ("--yes",)])  # without a terminal nobody is asked either
def test_what_hosts_leave_open_is_done_only_when_a_person_says_so(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    unsure = "hosts differ on which run was the last; name it: tempo-infra rollback 7f3a9c01"
    way = WayBack({"front-1": A}, {"front-1": B}, {}, run="7f3a9c01", notes=("hosts differ",), unsure=unsure)
    code, said, went = shown(monkeypatch, way, *words)
    assert (code, went) == (1, [])  # of the runner: an InputError, which ends with 2
    assert "! hosts differ" in said
    assert shown(monkeypatch, way, "--dry-run")[::2] == (0, [])
    monkeypatch.setattr("tempo_infra.cli.confirmation.is_asked", lambda *, yes: not yes)
    monkeypatch.setattr("tempo_infra.cli.confirmation._typed", lambda _: "y")
    assert shown(monkeypatch, way)[::2] == (0, ["front-1"])
    assert shown(monkeypatch, way, "--yes")[::2] == (1, [])


@pytest.mark.parametrize("unable", [True, False])
def test_what_speaks_against_it_is_said_and_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch, *, unable: bool
) -> None:
    errors = {"front-1": StepFailedError("generation aaaaaaaaaaaa is damaged", host="front-1")}
    way = WayBack({"front-1": A}, {"front-1": B}, {}, {} if unable else dict(errors))
    code, said, went = shown(monkeypatch, way, unable=errors if unable else {})
    assert (code, went) == (1, [])
    assert said.splitlines() == [
        "front-1: generation aaaaaaaaaaaa is damaged",
        "nothing was changed on any host",
    ]
