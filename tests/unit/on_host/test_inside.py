"""How programs are started in containers; that they end in there is seen on hosts (test_stray_processes)."""

from __future__ import annotations

import ast
from pathlib import Path

import tempo_infra.on_host as room
from tests.unit.source import nodes

ROOM = Path(str(room.__file__)).parent
SOURCES = sorted(path for path in ROOM.rglob("*.py") if path.name != "inside.py")


def words_of(path: Path) -> list[list[str]]:
    """The plain words of each list, tuple and call: what a command is made of."""
    found = []
    for node in nodes(path):
        parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        found.append(
            [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        )
    return found


def test_every_program_in_a_container_has_its_deadline_in_there() -> None:
    """Killing `docker exec` ends nothing: one module calls it, and puts `timeout` before the program."""
    others = [path.name for path in SOURCES for words in words_of(path) if {"docker", "exec"} <= set(words)]
    others += [path.name for path in SOURCES for words in words_of(path) if words[:1] == ["exec"] != words]
    assert others == []
    assert any({"docker", "exec"} <= set(words) for words in words_of(ROOM / "inside.py"))
