"""Hints can be pasted: each command of ours that takes them has the inventory and hosts that were given."""

from __future__ import annotations

import ast
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from tempo_infra.cli import hints as door
from tempo_infra.cli.main import app
from tempo_infra.errors import StepFailedError
from tempo_infra.hints import MOST, ON_HOSTS, ON_INVENTORY, Given, completed, hint
from tempo_infra.ssh.known_hosts import refusal
from tests.unit.source import nodes

PACKAGE = Path(__file__).parents[2] / "tempo_infra"
GIVEN = Given("/srv/nord pay.yaml", ("extra-1",))


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["plan"], Given()),
        (["plan", "-i", "a.yaml"], Given("a.yaml")),
        (["plan", "-ia.yaml"], Given("a.yaml")),
        (["plan", "--inventory", "a.yaml", "--host", "x", "--host=y"], Given("a.yaml", ("x", "y"))),
        (["plan", "--inventory=a.yaml", "-i", "b.yaml"], Given("b.yaml")),
        (["check-host", "--", "-i", "a.yaml"], Given()),
        (["plan", "-i"], Given()),
    ],
)
def test_what_was_given_is_read_as_the_command_line_reads_it(words: list[str], given: Given) -> None:
    assert Given.of(words) == given


I, H = "-i '/srv/nord pay.yaml'", "--host extra-1"  # noqa: E741 - as they are typed


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("tempo-infra provision", f"tempo-infra provision {I} {H}"),
        ("`tempo-infra status` says how", f"`tempo-infra status {I} {H}` says how"),
        ("tempo-infra history lists them", f"tempo-infra history {I} {H} lists them"),
        ("then\n  tempo-infra trust db-1 --replace", f"then\n  tempo-infra trust {I} db-1 --replace"),
        ("tempo-infra secrets rotate; then", f"tempo-infra secrets rotate {I}; then"),
        ("tempo-infra images pin", f"tempo-infra images pin {I}"),
        ("tempo-infra resume 7f3a says", f"tempo-infra resume {I} {H} 7f3a says"),
        ("tempo-infra plan -i other.yaml", f"tempo-infra plan {H} -i other.yaml"),
        ("tempo-infra plan --host db-1", f"tempo-infra plan {I} --host db-1"),
        (
            "tempo-infra plan, then tempo-infra diff",
            f"tempo-infra plan {I} {H}, then tempo-infra diff {I} {H}",
        ),
        (
            "tempo-infra plan tempo-infra diff -i other.yaml",
            f"tempo-infra plan {I} {H} tempo-infra diff {H} -i other.yaml",
        ),
        ("tempo-infra init writes one", "tempo-infra init writes one"),
        ("tempo-infra planet", "tempo-infra planet"),
        ("/var/lib/tempo-infra plan", "/var/lib/tempo-infra plan"),
        ("tempo-infra checks list", "tempo-infra checks list"),
    ],
)
def test_a_command_gets_what_it_takes_and_has_not(text: str, whole: str) -> None:
    assert completed(text, GIVEN) == whole
    assert completed(whole, GIVEN) == whole  # it may come through two doors
    assert completed(text, Given()) == text


def commands() -> Iterator[tuple[str, set[str]]]:
    def walk(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
        for name, one in getattr(command, "commands", {}).items():
            yield from walk(one, (*path, name))
        if not hasattr(command, "commands"):
            yield " ".join(path), {name for param in command.params for name in param.opts}  # type: ignore[attr-defined]

    return walk(typer.main.get_command(app))


def test_the_commands_that_take_them_are_those_of_the_command_line() -> None:
    found = {name: options for name, options in commands() if "-i" in options}
    assert set(ON_INVENTORY) == set(found)
    assert set(ON_HOSTS) == {name for name, options in found.items() if "--host" in options}


def said(path: Path) -> Iterator[str]:
    """Every text of a module that may be shown: its literals, not its docstrings."""
    documents = {
        id(node.body[0].value)
        for node in nodes(path)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inner = {id(part) for node in nodes(path) if isinstance(node, ast.JoinedStr) for part in node.values}
    hidden = documents | inner
    for node in nodes(path):
        if isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in hidden:
            yield node.value


OPTION = re.compile(rf"tempo-infra ({'|'.join(ON_INVENTORY)})\b[^`\n;,)]* (-i|--inventory)\b")
FILLED_IN_LATER = {
    "inventory/scaffold.py",  # the head of a new inventory, which names itself
    *(
        f"checks/{name}.py"
        for name in [
            "backup",
            "containers",
            "cpu",
            "database",
            "disk",
            "kernel",
            "logins",
            "memory",
            "network",
            "nofile",
            "temporal",
        ]
    ),
}  # checks: `Expected.filled_in` puts inventory and host into {inventory} and {host}


def test_nobody_else_writes_the_inventory_into_a_command() -> None:
    """One that is written by hand forgets the quotes, or the host."""
    by_hand = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(OPTION.search(text) for text in said(path))
    }
    assert by_hand == FILLED_IN_LATER


def test_every_error_that_a_command_shows_goes_through_the_door() -> None:
    for path in (PACKAGE / "cli").glob("*.py"):
        text = path.read_text()
        shown = len(re.findall(r"shown\([a-z.]*\.told\)", text))
        assert shown == text.count(".told"), path


def test_an_unknown_host_key_says_how_it_is_trusted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tempo-infra", "plan", "-i", "nordpay.yaml"])
    error = refusal("ed25519 SHA256:abc", [], Path("known_hosts"), "extra-1")
    assert "tempo-infra trust -i nordpay.yaml extra-1" in door.shown(str(error))
    door.fill_in([error])
    assert error.remedy.endswith("tempo-infra trust -i nordpay.yaml extra-1")


def test_the_same_command_again_is_the_one_that_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["/x/tempo-infra", "provision", "-i", "my cluster.yaml", "--host", "extra-1"]
    )
    assert door.again() == "tempo-infra provision -i 'my cluster.yaml' --host extra-1"


def test_a_hint_of_our_own_is_quoted_for_a_shell() -> None:
    assert hint("plan", Path("a b.yaml"), ["x"]) == "tempo-infra plan -i 'a b.yaml' --host x"


def test_a_hosts_words_can_not_grow_by_it_without_end() -> None:
    error = StepFailedError("tempo-infra plan " * 100_000)
    assert len(door.shown(error.what)) < 10_000


def test_a_text_full_of_commands_costs_as_its_length_and_a_few_get_options() -> None:
    def seconds(count: int) -> float:
        began = time.process_time()
        completed("tempo-infra plan " * count, GIVEN)
        return time.process_time() - began

    small = min(seconds(500) for _ in range(3))
    assert seconds(4_000) < 24 * max(small, 1e-3)  # 8 times as long; it was 64 times as much
    assert completed("tempo-infra plan " * 100, GIVEN).count("-i ") == MOST
