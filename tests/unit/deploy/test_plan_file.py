from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from tempo_infra.deploy.departed import Departed
from tempo_infra.deploy.plan import HostPlan, plan_host
from tempo_infra.deploy.plan_file import moved, parts, read_plan
from tempo_infra.deploy.preconditions import Allowed
from tempo_infra.deploy.run import Plan
from tempo_infra.errors import InputError
from tempo_infra.on_host.condition import Container
from tempo_infra.on_host.state import Edited, HostState
from tempo_infra.report.changes import plan_json
from tempo_infra.report.drift import drift_lines, drift_of
from tests.unit.deploy.test_plan import FRESH, HOST, OWNED, after, bundle, seen_from

SCHEMA = Path(__file__).parents[3] / "docs/reference/plan.schema.json"
SEEN = replace(FRESH, installed={"etc/x.conf": "1"})


def plan(state: HostState = SEEN, digest: str = "d1", host: str = "db-1") -> Plan:
    return Plan((HostPlan(host, digest, state=parts(state)),), {}, {})


def kept(path: Path, made: Plan) -> Path:
    path.write_text(json.dumps(plan_json(made)))
    return path


def test_a_plan_holds_while_nothing_moved(tmp_path: Path) -> None:
    assert moved(read_plan(kept(tmp_path / "plan.json", plan())), plan()) == []


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (plan(replace(SEEN, installed={"etc/x.conf": "2"})), "the host moved since the plan was made: files"),
        (plan(replace(SEEN, generation="g")), "moved since the plan was made: generation"),
        (
            plan(replace(SEEN, containers=[Container("a", "1", running=True, started_at="", image="")])),
            "containers",
        ),
        (plan(replace(SEEN, data_version="17")), "data"),
        (plan(digest="d2"), "other files would be written"),
        (plan(host="db-2"), "is not in the plan"),
    ],
)
def test_a_host_that_moved_is_named_with_what_moved(tmp_path: Path, now: Plan, says: str) -> None:
    found = moved(read_plan(kept(tmp_path / "plan.json", plan())), now)
    assert says in found[0][1]


def test_a_host_of_the_plan_that_is_left_out_is_named(tmp_path: Path) -> None:
    found = moved(read_plan(kept(tmp_path / "plan.json", plan())), Plan((), {}, {}))
    assert found == [("db-1", "is in the plan, but not among the hosts of this run")]


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1}', '{"schema": 9, "hosts": []}'])
def test_another_file_is_no_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError, match="plan"):
        read_plan(path)


@pytest.mark.parametrize("state", [FRESH, after(bundle(conf="a = 2\n"))])
def test_a_plan_is_as_its_published_schema_says(state: HostState) -> None:
    made = plan_host(HOST, bundle(), state, {"temporal/db_password": "d"})
    left = (
        Departed("a", "10.0.0.4", ("ui",), rings=("history",), heard_s=3, runs=("ui",)),
        Departed("b", "::1"),
    )
    body = plan_json(Plan((made,), {}, {"db-1": ["old engine"]}, departed=left, without=("c",)))
    jsonschema.validate(json.loads(json.dumps(body)), json.loads(SCHEMA.read_text()))


FOLDER = "services/postgresql-aaaaaaaaaaaa"


def test_a_file_edited_where_containers_read_it_is_shown_refused_and_put_right_only_when_asked() -> None:
    shipped = bundle()
    state = replace(after(shipped), tampered={f"{FOLDER}/postgresql.conf": "a = 5\n"})
    [problem] = plan_host(HOST, shipped, state, {}).problems
    assert problem.startswith(f"/var/lib/tempo-infra/{FOLDER}/postgresql.conf was changed on the host")
    taken = plan_host(HOST, shipped, state, {}, Allowed(take_over=True))
    assert taken.problems == ()
    assert taken.repair == (FOLDER,)
    assert [(one.service, one.why) for one in taken.restarts] == [
        ("postgresql", "its files were edited on the host")
    ]
    assert not taken.is_noop
    assert not taken.files_only
    texts = {file.path: file.content.decode() for file in shipped.files}
    lines = list(drift_lines("db-1", drift_of(state, texts)))
    assert lines[1] == f"  ~ /var/lib/tempo-infra/{FOLDER}/postgresql.conf"
    assert "      +a = 5" in lines


def test_an_edited_file_that_the_next_generation_does_not_read_stands_in_no_ones_way() -> None:
    old, new = bundle(), bundle("a = 2\n", "bbbbbbbbbbbb")
    state = replace(after(old), tampered={f"{FOLDER}/postgresql.conf": "a = 5\n"})
    assert plan_host(HOST, new, seen_from(state, old, new), {}).problems == ()


def test_an_edited_file_is_refused_shown_and_taken_over_only_when_asked() -> None:
    shipped = bundle()
    state = replace(
        after(shipped),
        installed={OWNED: "edited"},
        edited={OWNED: Edited("k = 1\n", "k = 5\n")},
    )
    refused = plan_host(HOST, shipped, state, {})
    assert any("/etc/sysctl.d/60-tempo-infra.conf was changed on the host" in p for p in refused.problems)
    taken = plan_host(HOST, shipped, state, {}, Allowed(take_over=True))
    assert taken.problems == ()
    assert taken.take_over == (OWNED,)
    assert "-k = 5" in taken.changes[0].diff
    assert list(drift_lines("db-1", drift_of(state)))[:2] == ["db-1", f"  ~ /{OWNED}"]
    assert list(drift_lines("db-1", drift_of(after(shipped)))) == []
