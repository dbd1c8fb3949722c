"""Who sits at a terminal is shown what will be done and asked; a script is not. On real pseudo-terminals."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from tempo_infra.cli import confirmation, run
from tempo_infra.cli import provision as command
from tempo_infra.cli.confirmation import go_on, name_departed
from tempo_infra.cli.options import OutputFormat
from tempo_infra.deploy.departed import Departed
from tempo_infra.deploy.plan import HostPlan
from tempo_infra.deploy.run import Plan
from tempo_infra.deploy.since import Since

LOCAL_MODES = 3  # in what tcgetattr returns


@contextlib.contextmanager
def terminal(typed: str = "") -> Iterator[int]:
    """Put a terminal in place of stdin and stdout, at which that was typed; yield its other end.

    It does not echo: what was typed would be shown at any moment, in the middle of a line too.
    """
    ours, theirs = pty.openpty()
    modes = termios.tcgetattr(theirs)
    modes[LOCAL_MODES] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    os.write(ours, typed.encode())
    with (
        os.fdopen(theirs) as stdin,
        os.fdopen(os.dup(theirs), "w") as stdout,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "stdin", stdin)
        patch.setattr(sys, "stdout", stdout)
        yield ours
    os.close(ours)


def read(shown: int, text: bytes) -> bytes:
    """Read what the terminal shows, until that is there or nothing more comes."""
    sys.stdout.flush()
    found = b""
    while text not in found and select.select([shown], [], [], 2)[0]:
        found += os.read(shown, 4096)
    return found


@pytest.mark.parametrize(
    ("answer", "goes_on"), [("y", True), ("YES", True), ("n", False), ("", False), ("yo", False)]
)
def test_a_person_is_shown_what_will_be_done_and_only_yes_goes_on(answer: str, goes_on: bool) -> None:
    with terminal(f"{answer}\n") as shown:
        if goes_on:
            go_on(["db-1 restarts"], yes=False)
        else:
            with pytest.raises(typer.Exit) as ended:
                go_on(["db-1 restarts"], yes=False)
            assert ended.value.exit_code == 1
        asked = b"db-1 restarts\r\ngo on? [y/N] "
        assert asked in read(shown, asked)


def test_hosts_are_not_kept_locked_for_a_person_who_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmation, "PATIENCE_S", 0.05)
    with terminal(), pytest.raises(typer.Exit):
        go_on([], yes=False)


LEFT = Plan((), {}, {}, unasked=(("history-2", "left the inventory"), ("history-3", "left, too")))


@pytest.mark.parametrize(
    ("typed", "left"), [("history-2\nhistory-3\n", []), ("history-3\n\n", ["history-2", "history-3"])]
)
def test_who_left_is_taken_out_by_its_name_alone(typed: str, left: list[str]) -> None:
    with terminal(typed) as shown:
        assert [name for name, _ in name_departed(LEFT).unasked] == left
        asked = b"type its name to take it out of the cluster (history-3): "
        assert asked in read(shown, asked)


def test_hosts_are_not_kept_locked_until_a_person_names_who_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has gone is asked once: not for each of very many."""
    asked: list[str] = []
    monkeypatch.setattr(confirmation, "_typed", asked.append)  # nothing is typed
    with terminal():
        assert name_departed(LEFT) == LEFT
    assert [one.partition(" (")[2] for one in asked] == ["history-2): "]


def test_who_was_not_asked_what_runs_there_is_not_taken_out_by_a_word_typed() -> None:
    """One record alone knows where it is: `--gone` asks there, before anything is decided."""
    alone = Departed("history-2", "10.0.0.44", ssh="x@y:22", only_by="front-1")
    plan = replace(LEFT, departed=(alone,))
    with terminal("history-3\n"):
        assert [name for name, _ in name_departed(plan).unasked] == ["history-2"]


def test_with_yes_nobody_is_asked() -> None:
    with terminal():
        go_on(["db-1 restarts"], yes=True)


@pytest.mark.parametrize("which", ["stdin", "stdout"])
def test_without_a_terminal_nobody_is_asked(which: str, tmp_path: Path) -> None:
    with terminal(), (tmp_path / "file").open("w+") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, which, file)
        go_on(["db-1 restarts"], yes=False)


class Scripted:
    """A run that plans one host, and applies when it is let."""

    run, stopped, missing = "r", False, False

    def __init__(self, *hosts: HostPlan) -> None:
        undone = Since(("db-1",), "goes back to generation abc", True)  # noqa: FBT003 - a record
        self._plan, self.applied = Plan(hosts, {}, {}, since=(undone,)), False
        self.rollout, self.hosts, self.cluster = self, (), None

    def plan(self, *_: object, **__: object) -> Plan:
        return self._plan

    def stop(self) -> None: ...

    def supply(self) -> None: ...


CHANGES = HostPlan("db-1", "d" * 64, starts=("history",))
ASKED: list[tuple[dict[str, Any], list[HostPlan], bool]] = [
    ({}, [CHANGES], True),
    ({"quiet": True}, [CHANGES], True),
    ({"yes": True}, [CHANGES], False),
    ({"output": OutputFormat.JSON}, [CHANGES], False),
    ({}, [HostPlan("db-1", "d" * 64)], False),
]


@pytest.mark.parametrize(("options", "hosts", "asked"), ASKED)
def test_provision_asks_where_something_changes_and_says_what_would_be_undone_in_any_case(
    options: dict[str, Any],
    hosts: list[HostPlan],
    asked: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    scripted = Scripted(*hosts)
    did: list[int] = []

    def apply(*_: object, **__: object) -> int:
        did.append(1)
        return 0

    monkeypatch.setattr(run, "opened", lambda *_, **__: contextlib.nullcontext(scripted))
    monkeypatch.setattr(command, "apply", apply)
    with terminal("n\n") as shown:
        with pytest.raises(typer.Exit) as ended:
            command.provision(Path("inventory.yaml"), **options)
        assert (did, ended.value.exit_code) == (([], 1) if asked else ([1], 0))
        if asked:
            assert b"starts history" in read(shown, b"starts history")
    assert "! db-1: goes back to generation abc" in capfd.readouterr().err
