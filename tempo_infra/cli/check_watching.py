"""check-host again and again: the whole report first, then what changed, until Ctrl-C."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from tempo_infra.cli.interrupt import caught
from tempo_infra.errors import InputError
from tempo_infra.report.comparing import as_document, compare

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.report.result import CheckRun

SHORTEST_S = 10.0
_UNITS = {"s": 1, "m": 60, "h": 3600}


def period_s(text: str) -> float:
    """Read "30s", "5m", "1h"; InputError for anything else, or for less than a run takes."""
    found = re.fullmatch(r"(\d{1,6})([smh])", text)
    if found is None:
        raise InputError(f"--watch {text}: write a time such as 30s, 5m or 1h")
    seconds = float(int(found[1]) * _UNITS[found[2]])
    if seconds < SHORTEST_S:
        raise InputError(f"--watch {text}: at least {SHORTEST_S:g}s, or measuring would be all that hosts do")
    return seconds


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch: how to measure and judge, what to do with the first run and with those after it."""

    measure: Callable[[], CheckRun]
    first: Callable[[CheckRun], None]
    again: Callable[[CheckRun], None]
    sleep: Callable[[float], None] = time.sleep

    def until_stopped(self, period_s: float) -> CheckRun:
        """Run until Ctrl-C, which ends the pause at once; returns the last whole run."""
        last = self.measure()
        self.first(last)
        rounds = 1
        try:
            while True:
                self.sleep(period_s)
                now = self.measure()
                changes = compare(as_document(last), as_document(now))
                last = replace(now, changes=changes)
                rounds += 1
                self.again(last)
        except KeyboardInterrupt:
            caught()
            plural = "" if rounds == 1 else "s"
            typer.echo(f"\nstopped after {rounds} round{plural}; nothing was left on the hosts", err=True)
        return last


def print_changes(run: CheckRun) -> None:
    """Print one line a change, or one line that says that there is none."""
    at = time.strftime("%H:%M:%S")
    for one in run.changes or ():
        typer.echo(f"{at}  {one.line}")
    if not run.changes:
        typer.echo(f"{at}  no change   exit {int(run.exit_code)}")
