"""Ctrl-C while hosts are waited for: the first one ends it, whatever hangs; real programs, real signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from tempo_infra.cli.interrupt import AtOnce, at_once, stoppable, stopping, waiting

pytestmark = pytest.mark.thorough

GIVES_UP_S = 60.0
HANGS = """
import os, signal, sys, threading, typer
signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup ignores it
from tempo_infra.cli import main
from tempo_infra.ssh import fan_out
app = typer.Typer()
@app.command()
def hangs() -> None:
    def work(host):
        os.write(1, b"waits\\n")  # at once: threads that print mix their lines
        threading.Event().wait({seconds})
    {body}
main.app = app
sys.argv = ["tempo-infra"]
main.run()
"""
BODIES = {
    "hosts that are asked": 'fan_out(work, ["a", "b"])',
    "a session that is closed": """
    try:
        fan_out(lambda _: None, "a")
        print("waits", flush=True)
        threading.Event().wait({seconds})
    finally:
        work("a")
""",
}


@pytest.mark.parametrize("body", BODIES)
def test_the_first_one_ends_a_command_that_waits_for_hosts(body: str) -> None:
    code = HANGS.replace("{body}", BODIES[body]).replace("{seconds}", str(GIVES_UP_S))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "waits\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=2 * GIVES_UP_S)
    assert (process.returncode, said.strip()) == (1, "interrupted")
    assert time.monotonic() - began < GIVES_UP_S / 4


def test_before_a_run_has_begun_the_first_one_ends_it(tmp_path: Path) -> None:
    asked: list[str] = []
    rollout: Any = SimpleNamespace(begun=False, run="r1", stop=lambda: asked.append("stop"))
    with at_once() as leaving:
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), stopping(rollout, tmp_path):
            os.kill(os.getpid(), signal.SIGINT)
        if isinstance(handler, AtOnce):
            leaving.over()
    assert asked == []


def test_once_it_has_begun_it_is_ended_in_order(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []
    rollout: Any = SimpleNamespace(begun=True, run="r1", stop=lambda: asked.append("stop"))
    with stopping(rollout, tmp_path):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    assert asked == ["stop"]
    assert "stopping: the current step ends" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_a_command_that_leaves_hosts_has_changed_nothing_the_first_one_ends_it(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    """Locks are taken, hosts are read: nothing has to be waited for."""
    fleet: Any = SimpleNamespace(begun=False)
    with at_once() as leaving:
        with pytest.raises(KeyboardInterrupt), stoppable(fleet, "where all stand"):
            signal.raise_signal(number)
        leaving.over()
    assert capfd.readouterr().err == ""


def test_once_something_was_begun_its_step_is_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    fleet: Any = SimpleNamespace(begun=True)
    with pytest.raises(typer.Exit), stoppable(fleet, "where all stand"):
        signal.raise_signal(signal.SIGINT)
    said = capfd.readouterr().err
    assert "the step that runs now is waited for (again: leave at once)" in said
    assert said.endswith("where all stand\n")


def test_a_second_one_leaves_and_says_where_all_stand(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ends: list[int] = []
    monkeypatch.setattr("tempo_infra.cli.interrupt.os._exit", ends.append)
    with contextlib.suppress(KeyboardInterrupt), waiting(lambda: ["here"], lambda: True):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert ends == [1]
    assert "\nhere\n" in capfd.readouterr().err


def test_who_goes_on_in_order_is_not_ended_after_all() -> None:
    """A watch ends with its last exit code, however long it takes to say so."""
    handler = AtOnce()
    ended = threading.Event()
    handler._leave = ended.set  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        handler()
    handler.over()
    assert not ended.wait(2.0)


def test_it_is_said_once_when_the_wait_ends_as_its_time_does(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ends: list[int] = []
    monkeypatch.setattr("tempo_infra.cli.interrupt.LEAVE_S", 0.0)
    monkeypatch.setattr("tempo_infra.cli.interrupt.os._exit", ends.append)
    handler = AtOnce()
    with pytest.raises(KeyboardInterrupt):
        handler()
    handler.end()
    while len(ends) < 2:
        time.sleep(0.01)
    assert capfd.readouterr().err.strip() == "interrupted"
