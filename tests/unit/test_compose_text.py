"""The text of docker-compose.yml is read as YAML, by compose or not at all: no module searches it."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.unit.source import nodes

PACKAGE = Path(__file__).parents[2] / "tempo_infra"
FILES = {"compose_file", "plain_compose_file", "zero_compose_file"}
OTHERWISE = {
    "render/floor.py",  # it compares values of the parsed document with what they may be
    "report/leaving.py",  # it names the file that was left
}


def reads_compose(path: Path) -> bool:
    return any(
        (isinstance(node, ast.Constant) and node.value == "docker-compose.yml")
        or (isinstance(node, ast.Attribute) and node.attr in FILES)
        or (isinstance(node, ast.alias) and node.name == "COMPOSE")
        for node in nodes(path)
    )


def searches(path: Path) -> bool:
    return any(isinstance(node, ast.Import) and node.names[0].name == "re" for node in nodes(path))


def test_no_regular_expression_goes_over_its_text() -> None:
    both = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if reads_compose(path) and searches(path)
    }
    assert both == OTHERWISE


def test_the_modules_that_read_it_are_found() -> None:
    names = {path.name for path in PACKAGE.rglob("*.py") if reads_compose(path)}
    assert {"ejecting.py", "mounts.py", "restarts.py"} <= names
