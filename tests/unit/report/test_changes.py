"""A plan as people read it: what changes and why, what waits meanwhile, within 80 columns."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.plan import HostPlan, SecretChange, plan_host
from tempo_infra.deploy.restarts import Restart, with_history
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.run import Plan
from tempo_infra.errors import UnreachableError
from tempo_infra.inventory.load import loads
from tempo_infra.on_host.condition import Container
from tempo_infra.on_host.state import HostState
from tempo_infra.render import render
from tempo_infra.report.changes import agreement_lines, plan_json, plan_lines
from tempo_infra.report.wrapping import WIDTH
from tempo_infra.sizing import size
from tests.fakes import FakeHosts
from tests.unit.deploy.test_plan import FRESH, HOST, after, bundle, seen_from
from tests.unit.deploy.test_plan_file import SCHEMA
from tests.unit.deploy.test_rollout import SECRETS
from tests.unit.render.test_own_templates import own

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


def planned(text: str, restarts: dict[str, list[float]] | None = None) -> Plan:
    """The plan of the example's database host for another text of its inventory."""
    cluster, other = loads(EXAMPLE.read_text(), EXAMPLE), loads(text, EXAMPLE)
    index = [host.name for host in cluster.hosts].index("db-1")
    old, new = (render(one, size(one))[index] for one in (cluster, other))
    state = replace(
        FRESH,
        generation=old.digest,
        confirmed=old.digest,
        manifest=old.manifest.text.decode(),
        addresses=[cluster.hosts[index].internal],
        installed={file.path: file.sha256 for file in old.files if file.path.startswith("etc/")},
        containers=[Container("postgresql", "id", running=True, started_at="", image="")],
        system_identifier="7712",
        data_version="17",
        images=list(new.images),
        restarts=restarts or {},
    )
    settings = size(other)
    host = other.hosts[index]
    return Plan(
        (plan_host(host, new, seen_from(state, old, new), {}, settings=settings.host("db-1")),), {}, {}
    )


def more_connections() -> str:
    return EXAMPLE.read_text() + "\noverrides:\n  postgresql:\n    max_connections: 260\n"


def test_a_changed_value_is_named_with_both_values_and_where_it_was_set() -> None:
    said = "\n".join(plan_lines(planned(more_connections()), diffs=False))
    assert re.search(r"max_connections 140 -> 260\s+\(set in \S*oslo-trio.yaml:\d+:\d+\)", said)
    assert re.search(r"postgresql.pids_limit 240 -> 360\s+\(more is a leak", said)
    assert "restarts postgresql: postgresql.conf changes" in said


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ([], "how long: not measured yet"),
        ([4.08], "4.1 s when last done here"),
        ([9.0, 4.1], "4.1 s when last done here, 4.1 to 9.0 s the last 2 times"),
    ],
)
def test_how_long_it_takes_is_what_it_took_here(times: list[float], says: str) -> None:
    lines = plan_lines(planned(more_connections(), {"postgresql": times}), diffs=False)
    assert says in re.sub(r"\s+", " ", " ".join(lines))


def test_another_host_that_has_done_it_is_named() -> None:
    states: dict[str, HostState] = {"a": FRESH, "b": replace(FRESH, restarts={"history": [6.3]})}
    [found] = with_history((Restart("history", "x"),), "a", states)
    assert (found.took_s, found.took_on) == ((6.3,), "b")
    assert with_history((Restart("history", "x", (1.0,)),), "a", states)[0].took_on == ""


def test_a_warning_stands_where_nothing_is_to_be_done() -> None:
    one = plan_host(HOST, bundle(), after(bundle()), {})
    plan = Plan((one, replace(one, host="db-2")), {}, {"db-1": ["an old engine"]})
    assert list(plan_lines(plan, diffs=True)) == [
        "db-1        nothing to do",
        "  ! an old engine",
        "nothing to do on 2 hosts",
    ]


def test_nothing_to_do_is_one_line_and_the_risks_that_are_taken() -> None:
    plan = Plan((plan_host(HOST, bundle(), after(bundle()), {}),), {}, {}, ("accepted risk: x",))
    assert list(plan_lines(plan, diffs=True)) == ["! accepted risk: x", "nothing to do on 1 host"]
    assert list(plan_lines(replace(plan, risks=()), diffs=True)) == ["nothing to do on 1 host"]


def test_secrets_are_digests_and_risks_are_said() -> None:
    host = HostPlan("db-1", "d", secrets=(SecretChange("temporal/db_password", None, "9d1e3f2a41c0"),))
    said = "\n".join(plan_lines(Plan((host,), {}, {}, ("accepted risk: x",)), diffs=False))
    assert "+ secrets/temporal/db_password" in said
    assert "none -> 9d1e3f2a41c0" in said
    assert "! accepted risk: x" in said


def test_no_line_is_wider_than_a_terminal() -> None:
    long = "word " * 40
    host = plan_host(
        HOST, bundle(), replace(FRESH, addresses=[], docker=replace(FRESH.docker, engine="1.0")), {}
    )
    noted = replace(
        host, notes=(long,), take_over=("etc/sysctl.d/60-tempo-infra.conf",), pull=("image " * 30,)
    )
    plans = [
        planned(more_connections(), {"postgresql": [9.0, 4.1]}),
        Plan((noted,), {"db-2": UnreachableError(long, remedy=long)}, {"db-1": [long]}, (long,)),
        Plan((plan_host(HOST, bundle(), FRESH, {"temporal/db_password": "d" * 64}),), {}, {}),
    ]
    for plan in plans:
        lines = list(plan_lines(plan, diffs=False))
        assert len(lines) > 4
        assert [line for line in lines if len(line) > WIDTH] == []


@pytest.mark.thorough
def test_every_template_of_the_operators_stands_in_the_plan(tmp_path: Path) -> None:
    """Where nothing is to be done, too; and what it goes beyond is among the risks."""
    cluster = replace(
        loads(EXAMPLE.read_text(), EXAMPLE), path=tmp_path / "x.yaml", accept=frozenset({"own-compose"})
    )
    own(tmp_path, "docker-compose.yml.j2", ("    init: true\n", "    init: true\n    privileged: true\n"))
    own(tmp_path, "services/temporal/server.yaml.j2", ("level: info", "level: warn"))
    bundles = render(cluster, size(cluster))
    states = {host.name: replace(FRESH, addresses=[host.internal]) for host in cluster.hosts}
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, SECRETS, fleet, settings=size(cluster))
        plan = rollout.plan(cluster.hosts)
        one = rollout.plan([cluster.host("db-1")])
    names = ("front-1", "history-1", "db-1")
    compose = f"! own template docker-compose.yml.j2 on {', '.join(names)}"
    server = "! own template services/temporal/server.yaml.j2 on front-1, history-1"
    for shown in (plan, replace(plan, hosts=())):
        lines = list(plan_lines(shown, diffs=False))
        assert compose in lines
        assert server in lines
        text = " ".join(" ".join(lines).split())
        assert (
            "! accepted risk: own-compose: more than the inventory means, by the own template docker-com"
            in text
        )
        assert "services.history.privileged: true" in text
    assert "! own template docker-compose.yml.j2 on db-1" in list(plan_lines(one, diffs=False))
    compose_json, server_json = plan_json(plan)["own_templates"]
    assert (compose_json["template"], compose_json["hosts"]) == ("docker-compose.yml.j2", names)
    assert "services.postgresql.privileged: true" in compose_json["beyond"]
    assert compose_json["accepted"] == "own-compose"
    assert server_json == {
        "template": "services/temporal/server.yaml.j2",
        "hosts": names[:2],
        "beyond": (),
        "accepted": "",
    }
    jsonschema.validate(json.loads(json.dumps(plan_json(plan))), json.loads(SCHEMA.read_text()))


def test_a_person_agrees_to_what_is_warned_of_as_well() -> None:
    """Of each host, also of one that nothing else is done on."""
    plan = planned(more_connections())
    told = replace(plan, warnings={"db-1": ["its disk is nearly full"]})
    new = [line for line in agreement_lines(told) if line not in list(agreement_lines(plan))]
    assert new == ["  ! its disk is nearly full"]
    idle = replace(told, hosts=tuple(replace(one, changes=(), restarts=()) for one in told.hosts))
    assert [*agreement_lines(idle)][-2:-1] == ["  ! its disk is nearly full"]
