"""What a host answers is read where it arrives: nothing else takes a raw answer apart."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.session import Session
from tests.unit.source import nodes

PACKAGE = Path(__file__).parents[3] / "tempo_infra"
MODULES = sorted((*(PACKAGE / "deploy").rglob("*.py"), *(PACKAGE / "cli").rglob("*.py")))
# Who speaks with one host, in its own thread and under its name.
MAY_CALL = {"fleet.py", "feeding.py", "facts.py", "inspect.py", "maintain.py"}


def raw(path: Path) -> Iterator[ast.Call]:
    for node in nodes(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "call":
            yield node


def test_an_answer_has_no_type_before_it_was_read() -> None:
    """Of an `object` nothing can be asked: mypy refuses a subscript, `get` and the like, wherever it goes."""
    assert inspect.signature(Session.call).return_annotation == "list[object]"
    assert str(inspect.signature(Fleet.ask).return_annotation).startswith("tuple[dict[str, Result], ")
    for one in (Fleet.ask, Fleet.do, Fleet.each):
        assert "Any" not in str(inspect.signature(one))


def test_raw_answers_are_unpacked_by_few_and_never_subscripted() -> None:
    calls = {call: path for path in MODULES for call in raw(path)}
    assert {path.name for path in calls.values()} <= MAY_CALL
    apart = [
        f"{path.name}:{node.lineno}"
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.Subscript | ast.Attribute) and node.value in calls
    ]
    assert apart == []


def test_each_of_those_reads_what_it_unpacks() -> None:
    assert {path.name for path in MODULES if set(raw(path))} == MAY_CALL
