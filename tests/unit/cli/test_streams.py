"""Standard streams that are closed, full or gone: still one line and the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tempo_infra.cli import main

pytestmark = pytest.mark.thorough

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
SHELL = """exec "$0" -c 'from tempo_infra.cli.main import run; run()' "$@" """


def ran(redirection: str, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["sh", "-c", SHELL + redirection, sys.executable, *words]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environ, timeout=60)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("maintain", "history-1"), "nobody is at a terminal"),
        (("remove",), "--confirm-remove oslo"),
        (("rollback", "--to", "0"), "--confirm-rollback oslo"),
    ],
)
def test_a_closed_standard_input_is_nobody_at_a_terminal(words: tuple[str, ...], says: str) -> None:
    done = ran("<&-", *words, "-i", str(EXAMPLE))
    assert done.returncode == 2
    assert says in done.stderr


def test_a_closed_output_hides_the_words_and_not_the_exit_code() -> None:
    assert ran(">&-", "inventory", "show", "-i", str(EXAMPLE)).returncode == 0
    assert ran("2>&-", "inventory", "show", "-i", "/nowhere.yaml").returncode == 2


def test_an_output_without_room_is_said_to_be_that() -> None:
    done = ran(">/dev/full", "render", "--stdout", "-i", str(EXAMPLE))
    assert (done.returncode, done.stderr) == (1, "error: writing: no space left on device\n")


def test_ctrl_c_in_a_command_that_has_nothing_to_put_right_is_said_to_be_that(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    waits = typer.Typer()
    waits.command()(interrupted)
    monkeypatch.setattr(main, "app", waits)
    monkeypatch.setattr(sys, "argv", ["tempo-infra"])
    with pytest.raises(SystemExit) as end:
        main.run()
    assert (end.value.code, capsys.readouterr().err) == (1, "interrupted\n")
