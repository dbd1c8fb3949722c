"""One exit code for what came of several hosts, the same in every command: the table of the reference."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tempo_infra.cli import exit_codes, resume, rotate
from tempo_infra.cli import main as command
from tempo_infra.cli.exit_codes import MEANINGS, ExitCode, exit_code
from tempo_infra.deploy.go_back import Gone, WayBack
from tempo_infra.deploy.rollout import Outcome, Plan
from tempo_infra.errors import (
    HostKeyError,
    InputError,
    RollbackFailedError,
    StepFailedError,
    TempoInfraError,
    UnreachableError,
)
from tests.unit.source import nodes

pytestmark = pytest.mark.thorough

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
PAGE = Path(__file__).parents[3] / "docs/reference/commands.md"
KINDS = {
    StepFailedError: 1,
    InputError: 2,
    UnreachableError: 3,
    HostKeyError: 3,
    RollbackFailedError: 5,
}
ORDER = (5, 1, 3, 2, 4, 0)  # as the table says


@given(kinds=st.lists(st.sampled_from(sorted(KINDS, key=str))), failed=st.booleans(), pending=st.booleans())
def test_the_first_in_the_order_of_the_table_wins(
    kinds: list[type[TempoInfraError]], *, failed: bool, pending: bool
) -> None:
    came = {KINDS[kind] for kind in kinds} | {0} | ({1} if failed else set()) | ({4} if pending else set())
    code = exit_code([kind("x") for kind in kinds], failed=failed, changes_pending=pending)
    assert code == next(one for one in ORDER if one in came)
    assert code == exit_code([kind("x") for kind in reversed(kinds)], failed=failed, changes_pending=pending)


def test_every_code_has_its_place_in_the_table_and_on_the_page() -> None:
    assert tuple(MEANINGS) == ORDER
    assert set(MEANINGS) == set(ExitCode)
    page = PAGE.read_text()
    assert all(f"| {code.value} | {meaning} |" in page for code, meaning in MEANINGS.items())
    assert "the first in this order is it: 5, 1, 3, 2, 4, 0." in page


def test_no_command_has_a_rule_of_its_own() -> None:
    """Where codes are compared, ordered or chosen, it is done in one function."""
    for path in sorted(Path(exit_codes.__file__).parent.glob("*.py")):
        if path.name == "exit_codes.py":
            continue
        names = {node.id for node in nodes(path) if isinstance(node, ast.Name)}
        assert "exit_code_of" not in names, path
        chosen = [
            n for n in nodes(path) if isinstance(n, ast.IfExp | ast.BoolOp) and "ExitCode" in ast.dump(n)
        ]
        assert chosen == [] or path.name == "rotate.py", path  # which goes on only when all is well


Errors = dict[str, TempoInfraError]


@contextlib.contextmanager
def yielding(*what: Any) -> Iterator[Any]:
    yield what if len(what) > 1 else what[0]


def asked(patch: pytest.MonkeyPatch, errors: Errors, *words: str) -> int:
    patch.setattr(resume, "reached", lambda *_, **__: yielding(None, None, []))
    for name in ("ask_runs", "ask_status"):
        patch.setattr(f"tempo_infra.deploy.resume.{name}", lambda *_: ({}, errors))
    return ran(*words)


def ran(*words: str) -> int:
    return CliRunner().invoke(command.app, [*words, "-i", str(EXAMPLE)], standalone_mode=True).exit_code


def rolled(patch: pytest.MonkeyPatch, way: WayBack, errors: Errors) -> int:
    patch.setattr(resume, "reached", lambda *_, **__: yielding(None, SimpleNamespace(path=EXAMPLE), []))
    patch.setattr("tempo_infra.deploy.go_back.way_back", lambda *_: way)
    patch.setattr("tempo_infra.deploy.go_back.go_back", lambda *_: Gone("r1", errors, {}))
    return ran("rollback")


def left(patch: pytest.MonkeyPatch, name: str, errors: Errors) -> int:
    patch.setattr(resume, "reached", lambda *_, **__: yielding(None, None, []))
    patch.setattr(f"tempo_infra.deploy.leave.{name}", lambda *_: ({}, errors))
    return ran(name, f"--confirm-{name}", "oslo")


def planned(patch: pytest.MonkeyPatch, errors: Errors, *words: str, outcome: Errors | None = None) -> int:
    plan = Plan((), errors if outcome is None else {}, {})
    rollout = SimpleNamespace(
        run="r1",
        plan=lambda *_, **__: plan,
        states=lambda _: ({}, errors),
        stop=lambda: None,
        apply=lambda *_: Outcome("r1", plan, outcome or {}, (), ()),
    )
    run = SimpleNamespace(
        rollout=rollout,
        hosts=(),
        report=SimpleNamespace(),
        cluster=command,
        supply=lambda: None,
        fleet=SimpleNamespace(each=lambda *_: ({}, {})),
    )
    patch.setattr("tempo_infra.cli.run.opened", lambda *_, **__: yielding(run))
    patch.setattr("tempo_infra.report.outcome.outcome_lines", lambda *_, **__: [])
    return ran(*words)


def retired(patch: pytest.MonkeyPatch, errors: Errors) -> int:
    patch.setattr("tempo_infra.deploy.rotation.retire", lambda *_: errors)
    run = SimpleNamespace(
        rollout=SimpleNamespace(stopped=False, run="r1", remember=lambda _: {}),
        fleet=None,
        cluster=SimpleNamespace(
            secrets=SimpleNamespace(login=SimpleNamespace(other=SimpleNamespace(secret="x")))
        ),
        store=SimpleNamespace(forget=lambda _: None),
    )
    return int(rotate._retire(run))  # type: ignore[arg-type]  # as much of one as is used


COMMANDS: dict[str, Callable[[pytest.MonkeyPatch, Errors], int]] = {
    "status": lambda patch, errors: asked(patch, errors, "status"),
    "history": lambda patch, errors: asked(patch, errors, "history"),
    "resume": lambda patch, errors: asked(patch, errors, "resume", "r1"),
    "rollback, asked": lambda patch, errors: rolled(patch, WayBack({}, {}, {}, errors), {}),
    "rollback, done": lambda patch, errors: rolled(patch, WayBack({}, {}, {}), errors),
    "remove": lambda patch, errors: left(patch, "remove", errors),
    "eject": lambda patch, errors: left(patch, "eject", errors),
    "plan": lambda patch, errors: planned(patch, errors, "plan", "--detailed-exitcode"),
    "diff": lambda patch, errors: planned(patch, errors, "diff"),
    "provision, asked": lambda patch, errors: planned(patch, errors, "provision"),
    "provision, done": lambda patch, errors: planned(patch, {}, "provision", outcome=errors),
    "secrets rotate": retired,
}
SITUATIONS: tuple[tuple[type[TempoInfraError], ...], ...] = (
    (StepFailedError,),
    (UnreachableError,),
    (HostKeyError,),
    (RollbackFailedError,),
    (UnreachableError, StepFailedError),
    (StepFailedError, HostKeyError, UnreachableError),
    (UnreachableError, RollbackFailedError),
    (StepFailedError, UnreachableError, RollbackFailedError),
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_ends_by_the_same_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kinds in SITUATIONS:
        errors = {f"host-{n}": kind("scripted") for n, kind in enumerate(kinds)}
        wanted = next(one for one in ORDER if one in {KINDS[kind] for kind in kinds})
        assert COMMANDS[name](monkeypatch, errors) == wanted, kinds
    if name != "resume":  # which is not content with a run that nobody knows
        assert COMMANDS[name](monkeypatch, {}) == 0
