"""The import table of the design, as a test."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "tempo_infra"

EVERYTHING = {
    "inventory", "sizing", "secrets", "render", "on_host", "ssh",
    "deploy", "checks", "workload", "report", "cli",
}  # fmt: skip
MAY_IMPORT = {
    "inventory": set(),
    "sizing": {"inventory"},
    "secrets": set(),
    "render": {"sizing", "inventory"},
    "on_host": set(),
    "ssh": {"inventory"},
    "deploy": {"inventory", "sizing", "render", "secrets", "ssh", "on_host", "checks"},
    "checks": {"inventory", "sizing", "on_host"},
    "workload": {"inventory", "secrets"},
    # result types of checks, deploy and sizing; inventory names hosts and roles in them
    "report": {"checks", "deploy", "inventory", "on_host", "sizing"},
    "cli": EVERYTHING,
}
FOR_ALL = {"errors", "__version__"}  # not rooms: the words for failures, the version


def imports(room: str) -> set[str]:
    found: set[str] = set()
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
    return found


def test_the_table_names_every_room() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize(("room", "allowed"), MAY_IMPORT.items())
def test_a_room_imports_only_what_the_table_allows(room: str, allowed: set[str]) -> None:
    rooms = {name.split(".")[1] for name in imports(room) if name.startswith("tempo_infra.")} - FOR_ALL
    assert rooms <= {room} | allowed


def test_what_runs_on_a_host_needs_only_the_standard_library() -> None:
    assert {name.split(".")[0] for name in imports("on_host")} <= sys.stdlib_module_names | {"tempo_infra"}


def test_only_the_workload_knows_the_temporal_sdk() -> None:
    users = {room for room in MAY_IMPORT if any(name.startswith("temporalio") for name in imports(room))}
    assert users == {"workload"}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
