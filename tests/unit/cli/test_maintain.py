"""Maintenance from the keyboard: who gets a drained host, and what Ctrl-C says about it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Never, cast

import pytest
import typer
from typer.testing import CliRunner

from tempo_infra.cli import maintain
from tempo_infra.cli.interrupt import waiting
from tempo_infra.cli.main import app
from tempo_infra.deploy.maintain import Maintenance, Work
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.on_host.draining import Done

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


def test_without_a_terminal_no_host_is_drained_for_a_person() -> None:
    ran = CliRunner().invoke(app, ["maintain", "history-1", "-i", str(EXAMPLE)])
    assert isinstance(ran.exception, InputError)
    assert "nothing was contacted" in ran.exception.remedy
    assert "while it is away" not in ran.output


def test_a_host_is_given_back_by_enter_and_not_by_a_terminal_that_went_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    maintain._hand_over(load(EXAMPLE).host("history-1"))
    assert capsys.readouterr().out == "history-1 is drained and yours; Enter when it may go back\n"
    with pytest.raises(typer.Abort):
        maintain._hand_over(load(EXAMPLE).host("history-1"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_waits_for_the_step_and_says_so(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), waiting(list, lambda: True):
        os.kill(os.getpid(), number)
    assert "the step that runs now is waited for" in capfd.readouterr().err
    assert signal.getsignal(number) is before


TWICE = """
import os, signal
from tempo_infra.cli.interrupt import waiting
with waiting(lambda: ["history-1: drained", "what now"], lambda: True):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
print("it went on")
"""


def test_the_second_one_leaves_at_once_and_says_how_things_stand() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "history-1: drained\nwhat now\n" in done.stderr
    assert done.stdout == ""


class NobodyReads:
    """A maintenance whose words went into a pipe that was closed."""

    where = {"history-1": "drained: its services are stopped"}  # noqa: RUF012  # never changed

    def one(self, *_: object) -> Never:
        raise BrokenPipeError


def test_where_nobody_reads_on_the_drained_host_is_named_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    host, work = load(EXAMPLE).host("history-1"), Work()
    with pytest.raises(typer.Exit) as ended:
        maintain._one(cast("Maintenance", NobodyReads()), host, work, EXAMPLE)
    assert ended.value.exit_code == 1
    assert "history-1: drained: its services are stopped" in capsys.readouterr().err


def test_each_line_that_a_command_wrote_has_its_host_and_a_quiet_run_shows_those_of_one_that_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = load(EXAMPLE).host("history-1")
    for quiet, done, shown in (
        (False, Done("patched\n6.12", 0), "history-1 | patched\nhistory-1 | 6.12\n"),
        (False, Done("", 0), ""),
        (True, Done("patched", 0), ""),
        (True, Done("no room", 1), "history-1 | no room\n"),
    ):
        maintain._writer(quiet=quiet)(host, done)
        assert capsys.readouterr().out == shown
