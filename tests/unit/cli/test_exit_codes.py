"""One exit code for what came of several hosts, the same in every command: the table of the reference."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from tempo_infra.cli import exit_codes, resume, rotate
from tempo_infra.cli import main as command
from tempo_infra.cli.exit_codes import MEANINGS, ExitCode, exit_code
from tempo_infra.deploy.rollback import Gone
from tempo_infra.deploy.run import Outcome, Plan
from tempo_infra.deploy.way_back import WayBack
from tempo_infra.errors import (
    HostKeyError,
    InputError,
    RollbackFailedError,
    StepFailedError,
    TempoInfraError,
    UnreachableError,
)
from tempo_infra.inventory.cluster import Images
from tests.unit.source import nodes

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


ALSO = {"rollback_failed": 5, "failed": 1, "unreachable": 3, "changes_pending": 4}
OUTCOMES = [
    (kinds, also)
    for kinds in itertools.chain.from_iterable(
        itertools.combinations(KINDS, n) for n in range(len(KINDS) + 1)
    )
    for also in itertools.chain.from_iterable(itertools.combinations(ALSO, n) for n in range(len(ALSO) + 1))
]


def test_the_first_in_the_order_of_the_table_wins_whatever_came_together() -> None:
    """All 512 sets of outcomes, in both orders of the hosts."""
    assert len(OUTCOMES) == 2 ** (len(KINDS) + len(ALSO))
    for kinds, also in OUTCOMES:
        came = {0, *(KINDS[kind] for kind in kinds), *(ALSO[name] for name in also)}
        wanted = next(one for one in ORDER if one in came)
        errors = [kind("x") for kind in kinds]
        for some in (errors, errors[::-1]):
            assert exit_code(some, **dict.fromkeys(also, True)) == wanted, (kinds, also)


@pytest.mark.parametrize(
    ("code", "errors", "also"),
    [
        (0, [], {}),
        (1, [], {"failed": True}),
        (1, [UnreachableError], {"failed": True}),  # some hosts fail while others are away
        (1, [UnreachableError, StepFailedError], {}),
        (1, [InputError, TempoInfraError], {}),
        (2, [InputError], {"changes_pending": True}),
        (3, [HostKeyError], {}),
        (3, [UnreachableError, InputError], {"changes_pending": True}),
        (4, [], {"changes_pending": True}),
        (5, [UnreachableError, StepFailedError, RollbackFailedError], {}),
    ],
)
def test_the_table(code: int, errors: list[type[TempoInfraError]], also: dict[str, bool]) -> None:
    assert exit_code([kind("x") for kind in errors], **also) == code


def test_every_code_has_its_place_in_the_table_and_on_the_page() -> None:
    assert tuple(MEANINGS) == ORDER
    assert set(MEANINGS) == set(ExitCode)
    page = PAGE.read_text()
    assert all(f"| {code.value} | {meaning} |" in page for code, meaning in MEANINGS.items())
    assert "the first in this order is it: 5, 1, 3, 2, 4, 0." in page


PACKAGE = Path(exit_codes.__file__).parents[1]
NO_COMMANDS = {
    "on_host",
    "workload/worker.py",
    "deploy/payload.py",
}  # programs of their own, with codes of their own
ENDS = {"Exit", "exit", "_exit", "SystemExit"}


def sources() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE)
        if path != Path(exit_codes.__file__) and not {place.parts[0], place.as_posix()} & NO_COMMANDS:
            yield path


def own_rules(tree: Iterable[ast.AST]) -> list[str]:
    """What computes an exit code in a module: a member of ExitCode, or a command's end by anything but a
    name, an attribute or a call."""
    nodes = list(tree)
    members = [n for n in nodes if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "ExitCode"]
    calls = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func).rpartition(".")[2] in ENDS]
    fixed = [arg for n in calls for arg in n.args if not isinstance(arg, ast.Name | ast.Attribute | ast.Call)]
    return [ast.unparse(n) for n in (*members, *fixed)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("raise typer.Exit(1)", ["1"]),
        ("raise typer.Exit(3 if errors else 0)", ["3 if errors else 0"]),
        ("os._exit(ExitCode.FAILED)", ["ExitCode.FAILED"]),
        ("sys.exit(a or b)", ["a or b"]),
        ("code = ExitCode.OK", ["ExitCode.OK"]),
        ("raise typer.Exit(exit_code(errors.values()))", []),
        ("raise typer.Exit", []),
        ("def apply() -> ExitCode: ...", []),
    ],
)
def test_a_rule_of_its_own_is_found(text: str, found: list[str]) -> None:
    assert own_rules(ast.walk(ast.parse(text))) == found


def test_no_command_has_a_rule_of_its_own() -> None:
    """Where codes are compared, ordered or chosen, it is done in one function."""
    paths = [path for path in sources() if re.search("ExitCode|[Ee]xit\\(", path.read_text())]
    assert {path.name: found for path in paths if (found := own_rules(nodes(path)))} == {}
    assert len(paths) > len(COMMANDS)


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
    cluster = SimpleNamespace(path=EXAMPLE, images=Images("", {}))
    patch.setattr(resume, "reached", lambda *_, **__: yielding(None, cluster, []))
    patch.setattr("tempo_infra.deploy.way_back.way_back", lambda *_: way)
    patch.setattr("tempo_infra.deploy.preview.preview", lambda *_: (Plan((), {}, {}), {}))
    patch.setattr("tempo_infra.deploy.rollback.roll_back", lambda *_: Gone("r1", errors, {}))
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
