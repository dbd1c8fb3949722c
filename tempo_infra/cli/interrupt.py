"""Ctrl-C during a run: once, it is ended in order; twice, the hosts are left to decide."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import typer

from tempo_infra.cli.exit_codes import ExitCode
from tempo_infra.hints import hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import FrameType

    from tempo_infra.deploy.rollout import Rollout


@contextlib.contextmanager
def stopping(rollout: Rollout, inventory: Path) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the run in order; a second one ends this program at once."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        if asked:
            _leave(rollout.run, inventory)
        asked = True
        rollout.stop()
        _say(
            "stopping: the current step ends, nothing new begins, and what is not confirmed is put back\n"
            "  (again: leave it to the hosts)"
        )

    with _handled_by(stop):
        yield


@contextlib.contextmanager
def waiting(where: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work after the step that runs: KeyboardInterrupt, once it has ended.

    A second one ends this program at once, and says by `where` how things stand.
    """
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        if asked:
            _say("\n".join(where()))
            os._exit(ExitCode.FAILED)  # a thread waits for the host, which ends its step by itself
        asked = True
        _say("interrupted: the step that runs now is waited for (again: leave at once)")
        raise KeyboardInterrupt

    with _handled_by(stop):
        yield


@contextlib.contextmanager
def stoppable(*lines: str) -> Iterator[None]:
    """As `waiting`, for a command that has the same to say whenever it is stopped."""
    try:
        with waiting(lambda: lines):
            yield
    except KeyboardInterrupt:
        typer.echo("\n".join(lines), err=True)
        raise typer.Exit(ExitCode.FAILED) from None


@contextlib.contextmanager
def _handled_by(stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(run: str, inventory: Path) -> None:
    _say(
        f"left to the hosts (run {run}): one that was switched goes on by itself;\n"
        f"  healthy, it keeps the new generation; not healthy, it goes back; nothing is half done\n"
        f"  what now:  {hint(f'resume {run}', inventory)}"
    )
    os._exit(ExitCode.FAILED)  # threads wait for hosts; the hosts need none of them


def _say(text: str) -> None:
    os.write(sys.stderr.fileno(), f"\n{text}\n".encode())
