"""The table of components: whole, and the only place that says what stands in it."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from tempo_infra import components
from tempo_infra.components import COMPONENTS
from tempo_infra.components.component import Component, Grpc, Reach
from tempo_infra.components.table import LISTED
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.logins import Login
from tempo_infra.on_host.format_1 import PORTS as OLDER
from tempo_infra.on_host.health import SERVICES
from tempo_infra.on_host.manifest import reloaded_folder
from tempo_infra.on_host.users import Users
from tests.unit.source import nodes

ROOT = Path(__file__).parents[3]
ROWS = {
    str(Path(str(module.__file__)).relative_to(ROOT)): {
        port.number for one in module.COMPONENTS for port in one.ports
    }
    for module in (import_module(f"{components.__name__}.{name}") for name in LISTED)
}
PORTS = {port.number for one in COMPONENTS for port in one.ports}
ELSEWHERE = {"tempo_infra/on_host/format_1.py": {5432, 8080, *OLDER.values()}}  # where versions before asked


def sources() -> list[Path]:
    return [path for room in ("tempo_infra", "docs") for path in sorted((ROOT / room).rglob("*.py"))]


def ports_in(path: Path) -> set[int]:
    """The table's ports that a module writes down itself, docstrings apart."""
    text = path.read_text().replace("_", "")
    if not any(str(port) in text for port in PORTS):
        return set()
    said = {
        id(node.value)
        for node in nodes(path)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    literals = [node.value for node in nodes(path) if isinstance(node, ast.Constant) and id(node) not in said]
    words = {
        int(one) for text in literals if isinstance(text, str) for one in re.findall(r"\b\d{4,5}\b", text)
    }
    return PORTS & (words | {one for one in literals if type(one) is int})


def test_a_port_is_said_in_the_table_alone() -> None:
    found = {(str(path.relative_to(ROOT)), port) for path in sources() for port in ports_in(path)}
    assert found == {(name, port) for name, ports in {**ROWS, **ELSEWHERE}.items() for port in ports}


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.j2")), ids=lambda path: path.name)
def test_no_template_writes_a_port_down(path: Path) -> None:
    assert not PORTS & {int(one) for one in re.findall(r"\b\d{4,5}\b", path.read_text())}


@pytest.mark.parametrize("text", ["x = 7233\n", 'x = "a:8080"\n', 'def f(p=5432):\n    """7234"""\n'])
def test_a_port_that_is_written_down_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "module.py").write_text(text)
    assert len(ports_in(tmp_path / "module.py")) == 1


def test_every_role_of_the_inventory_has_its_row_in_start_order() -> None:
    assert [one.name for one in COMPONENTS if not one.is_job] == [role.value for role in Role]
    assert all(one.role == one.name for one in COMPONENTS if not one.is_job)
    assert {one.role for one in COMPONENTS} == {role.value for role in Role}


def test_each_port_has_one_owner_and_lies_below_those_that_the_kernel_gives_away() -> None:
    found = [port.number for one in COMPONENTS for port in one.ports]
    assert len(found) == len(set(found))
    assert max(found) < 32768


@pytest.mark.parametrize("one", COMPONENTS, ids=lambda one: one.name)
def test_a_row_names_only_what_there_is(one: Component) -> None:
    names = {row.name for row in COMPONENTS}
    assert {*one.needs, *one.asks} <= names - {one.name}
    assert one.user in {field.name for field in fields(Users)}
    assert one.image.format_map({"temporal": "1.2.3", "postgres": "17", "ui": "2.3.4"}).count(":") == 1
    assert one.is_job == (not one.ports)
    if one.health:
        assert one.at(one.health.port) == one.ports[0].number
    assert (one.health is None) == one.is_job


def test_needs_make_an_order() -> None:
    """A row's needs may stand below it, as the worker's do; no row needs itself, by whatever way."""
    needs = {one.name: set(one.needs) for one in COMPONENTS}
    done: set[str] = set()
    while ready := {name for name, lacking in needs.items() if lacking <= done} - done:
        done |= ready
    assert done == set(needs)


def test_what_a_host_asks_over_grpc_is_what_the_table_says() -> None:
    assert {one.name: one.health.service for one in COMPONENTS if isinstance(one.health, Grpc)} == SERVICES


def test_who_reads_no_secret_runs_as_another_than_who_does() -> None:
    readers = {one.user for one in COMPONENTS if one.reads}
    assert readers == {"temporal"}
    assert not readers & {one.user for one in COMPONENTS if not one.reads}


def test_a_secret_has_one_component_and_a_folder_of_secrets_one_reader() -> None:
    own = [piece.name for one in COMPONENTS for piece in one.own_material]
    assert len({*own, *(login.secret for login in Login)}) == len(own) + len(Login)
    folders = [one for each in COMPONENTS for one in (each.name, reloaded_folder(each.name))]
    assert len({*folders, *(login.reader for login in Login)}) == len(folders) + len(Login)


def test_what_operators_reach_is_reached_by_nobody_else() -> None:
    assert {one.name for one in COMPONENTS for port in one.ports if port.reach is Reach.OPERATORS} == {"ui"}


def test_an_unknown_component_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match="no component 'postgresql-standby'"):
        components.of("postgresql-standby")


def test_a_port_that_a_component_does_not_have_is_no_port_of_another() -> None:
    with pytest.raises(KeyError, match="ui has no port 'grpc'"):
        components.port("ui", "grpc")


def test_an_option_is_in_a_row_only_where_it_is_asked_for() -> None:
    row = components.of("postgresql")
    assert row.having(()) == row
    assert row.own_material == ()
    asked = row.having({"backup"})
    assert [one.name for one in asked.own_material] == ["backup_passphrase", "backup_ssh_key"]
    assert asked.image != row.image
    assert set(row.files) < set(asked.files)
    assert row.whole == asked
