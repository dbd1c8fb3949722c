"""Who is where: endpoints and stores are asked by component."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra import components
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.topology import endpoints, instances, store
from tempo_infra.topology.instances import address, listening, members
from tests.unit.sizing.clusters import cluster, host, trio
from tests.unit.source import nodes

ROOT = Path(__file__).parents[3]


def two_frontends() -> Cluster:
    return cluster(*trio().hosts, host("front-2", Role.FRONTEND, Role.UI, internal="fd00::9"))


def test_every_instance_of_a_component_is_found() -> None:
    assert [(one.host, str(one)) for one in endpoints(two_frontends(), "frontend")] == [
        ("front-1", "10.0.0.11:7233"),
        ("front-2", "[fd00::9]:7233"),
    ]
    assert [str(one) for one in endpoints(two_frontends(), "history", "membership")] == ["10.0.0.12:6934"]


def test_jobs_are_where_the_role_is_that_has_them() -> None:
    assert [one.host.name for one in instances(two_frontends(), "schema", "admin-tools")] == [
        "db-1",
        "front-1",
        "front-2",
    ]


def test_what_nobody_has_has_no_endpoint_and_what_does_not_exist_is_refused() -> None:
    none = replace(trio(), hosts=tuple(one for one in trio().hosts if not one.has(Role.UI)))
    assert endpoints(none, "ui", "http") == ()
    with pytest.raises(InputError, match="no component 'cassandra'"):
        endpoints(trio(), "cassandra")


@pytest.mark.parametrize(
    ("name", "database"), [("default", "temporal"), ("visibility", "temporal_visibility")]
)
def test_a_store_is_kept_where_its_writer_is(name: str, database: str) -> None:
    found = store(trio(), name)
    assert (found.database, found.writer.name, str(found.at)) == (database, "db-1", "10.0.0.13:5432")


@pytest.mark.parametrize("hosts", [0, 2])
def test_a_store_without_one_writer_alone_is_refused(hosts: int) -> None:
    kept = [one for one in trio().hosts if not one.has(Role.POSTGRESQL)]
    more = [host(f"db-{n}", Role.POSTGRESQL, internal=f"10.0.0.2{n}") for n in range(hosts)]
    with pytest.raises(InputError, match=f"{hosts} hosts have the role postgresql"):
        store(cluster(*kept, *more))


def test_an_unknown_store_is_refused() -> None:
    with pytest.raises(InputError, match="no store 'archive'"):
        store(trio(), "archive")


def test_a_port_is_open_where_it_is_asked_for_and_the_loopback_s_is_operators_alone() -> None:
    plain = trio()
    asked = replace(plain, temporal=replace(plain.temporal, http_api=True))
    front = components.of("frontend")
    assert [port.name for port in listening(plain, front)] == ["grpc", "membership"]
    assert [port.name for port in listening(asked, front)] == ["grpc", "membership", "http"]
    [ui] = listening(plain, components.of("ui"))
    found = plain.host("front-1")
    assert [address(found, port) for port in (ui, *listening(plain, front))] == [
        "127.0.0.1",
        "10.0.0.11",
        "10.0.0.11",
    ]


def test_members_are_temporal_s_services_and_nothing_else() -> None:
    found = members(trio(), "membership")
    assert {role for _, role in found} == {Role.HISTORY, Role.MATCHING, Role.WORKER, Role.FRONTEND}
    assert found["history-1", Role.HISTORY] == "history 10.0.0.12:6934"


def places_in_a_list(path: Path) -> set[str]:
    """Where a module takes a host by its place in a list, or by a name that means one host for ever."""
    if not re.search(r"database_host|with_role", path.read_text()):
        return set()
    return {
        f"{path.name}:{node.lineno}"
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and node.attr == "database_host")
        or (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
            and node.value.func.attr == "with_role"
        )
    }


@pytest.mark.parametrize("room", ["tempo_infra", "docs", "tests", "bench", "lab"])
def test_who_does_something_is_asked_by_component(room: str) -> None:
    assert set[str]().union(*map(places_in_a_list, sorted((ROOT / room).rglob("*.py")))) == set()


@pytest.mark.parametrize(
    "text", ["cluster.database_host", "cluster.with_role(Role.UI)[0]", "a.with_role(x)[-1]"]
)
def test_a_place_in_a_list_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "module.py").write_text(f"name = {text}.name\n")
    assert places_in_a_list(tmp_path / "module.py") == {"module.py:1"}
