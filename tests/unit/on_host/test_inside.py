"""How programs are started in containers; that they end in there is seen on hosts (test_stray_processes)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tempo_infra.on_host as room
from tempo_infra.on_host import inside
from tempo_infra.on_host.shell import Output
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


OCI = "OCI runtime exec failed: exec failed: unable to start container process: "
HICCUP = f"{OCI}waiting for init preliminary setup: read init-p: connection reset by peer: unknown"
MISSING = f'{OCI}exec: "psql": executable file not found in $PATH: unknown'


@pytest.mark.parametrize(
    ("said", "ends_well", "times"),
    [([HICCUP, ""], True, 2), ([HICCUP] * 4, False, 3), ([MISSING], False, 1), (["psql: no"], False, 1)],
)
def test_a_program_that_the_engine_never_began_is_tried_again(
    said: list[str], ends_well: bool, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has begun, or can't ever, is not."""
    left = list(said)

    def run(*_: object, **__: object) -> Output:
        words = left.pop(0)
        return Output(126 if words else 0, "", words)

    monkeypatch.setattr(inside, "run", run)
    monkeypatch.setattr(inside, "PAUSE_S", 0.0)
    assert (inside.inside("c", ["psql"], deadline_s=1.0).returncode == 0) is ends_well
    assert len(said) - len(left) == times
