"""Ctrl-C: where nothing is under way, the end comes at once, whatever is waited for.

During a run: once, it is ended in order; twice, the hosts are left to decide.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.hints import hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import FrameType

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.rollout import Rollout

LEAVE_S = 1.0  # in which what can be ended in order is; threads may wait for hosts for much longer


class AtOnce:
    """Handles SIGINT where nothing is under way: KeyboardInterrupt, and soon the end of this program."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._asked = False
        self._saying = threading.RLock()
        self._said = False

    def __call__(self, *_: object) -> NoReturn:
        if self._asked:
            self._leave()
        self._asked = True
        threading.Thread(target=self._see, args=(self._ended,), daemon=True).start()
        raise KeyboardInterrupt

    def over(self) -> None:
        """Take it that the wait has ended, and the program goes on in order."""
        self._ended.set()
        self._ended, self._asked = threading.Event(), False

    def end(self) -> None:
        """End the program when it was asked to, without waiting for its threads."""
        if self._asked:
            self._leave()

    def _see(self, ended: threading.Event) -> None:
        if not ended.wait(LEAVE_S):
            self._leave()

    def _leave(self) -> NoReturn:
        with self._saying:  # the wait's end and its longest time may come together
            if not self._said:
                self._said = True
                _say("interrupted")
        os._exit(exit_code(failed=True))  # a thread waits for a host, which lets go by itself


@contextlib.contextmanager
def at_once() -> Iterator[AtOnce]:
    """Let SIGINT be handled so, unless this program was told to ignore it (nohup)."""
    handler = AtOnce()
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield handler
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield handler
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def caught() -> None:
    """Say that a KeyboardInterrupt has been taken care of."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, AtOnce):
        handler.over()


@contextlib.contextmanager
def stopping(rollout: Rollout, inventory: Path) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the run in order; a second one ends this program at once.

    As long as nothing has begun, the first one does.
    """
    asked = False
    leave = _leaving()

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        if not rollout.begun:
            leave()
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
def waiting(where: Callable[[], Iterable[str]], begun: Callable[[], bool]) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work after the step that runs: KeyboardInterrupt, once it has ended.

    A second one ends this program at once, and says by `where` how things stand. As long as nothing has
    `begun`, the first one does.
    """
    asked = False
    leave = _leaving()

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        if not asked and not begun():
            leave()
        if asked:
            _say("\n".join(where()))
            os._exit(exit_code(failed=True))  # a thread waits for the host, which ends its step by itself
        asked = True
        _say("interrupted: the step that runs now is waited for (again: leave at once)")
        raise KeyboardInterrupt

    with _handled_by(stop):
        yield


@contextlib.contextmanager
def stoppable(fleet: Fleet, *lines: str) -> Iterator[None]:
    """As `waiting`, for a command that has the same to say whenever it is stopped in what it changes."""
    try:
        with waiting(lambda: lines, lambda: fleet.begun):
            yield
    except KeyboardInterrupt:
        if not fleet.begun:
            raise
        typer.echo("\n".join(lines), err=True)
        raise typer.Exit(exit_code(failed=True)) from None


def _leaving() -> AtOnce:
    before = signal.getsignal(signal.SIGINT)
    return before if isinstance(before, AtOnce) else AtOnce()


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
    os._exit(exit_code(failed=True))  # threads wait for hosts; the hosts need none of them


def _say(text: str) -> None:
    os.write(sys.stderr.fileno(), f"\n{text}\n".encode())
