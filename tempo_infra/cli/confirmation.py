"""Asking a person before something is done: yes or no, or the cluster's name where habit would say yes.

Where nobody sits at a terminal nobody is asked: scripts and CI do what they are told.
"""

from __future__ import annotations

import select
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.deploy.run import Plan

PATIENCE_S = 600.0  # hosts are locked meanwhile


def is_asked(*, yes: bool) -> bool:
    """Whether a person is asked before something is done."""
    return not yes and sys.stdin.isatty() and sys.stdout.isatty()


def go_on(lines: Iterable[str], *, yes: bool) -> None:
    """Show what will be done and ask whether to go on, on a terminal and without `yes`; else go on at once.

    Ends the command with exit code 1 when the answer is not yes, or none comes.
    """
    if not is_asked(yes=yes):
        return
    for line in lines:
        typer.echo(line)
    if (_typed("go on? [y/N] ") or "").lower() not in ("y", "yes"):
        typer.echo("nothing was changed on any host", err=True)
        raise typer.Exit(exit_code(failed=True))


def _typed(question: str) -> str | None:
    """Ask a person at the terminal, as long as hosts may be locked for that; None: there was no answer."""
    typer.echo(question, nl=False)
    try:
        answers = select.select([sys.stdin], [], [], PATIENCE_S)[0]
        line = sys.stdin.readline() if answers else ""
    except KeyboardInterrupt:
        return None
    return line.strip() if line else None


def name_departed(plan: Plan) -> Plan:
    """Let a person at a terminal name the hosts to take out; the plan without what that answers."""
    if not plan.unasked or plan.against or plan.errors or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return plan
    left: list[tuple[str, str]] = []
    typed: str | None = ""
    unheard = {one.name for one in plan.departed if one.only_by and one.runs is None}  # it was not asked
    for name, words in plan.unasked:
        if name in unheard:
            left.append((name, words))
            continue
        if typed is not None:  # who has gone is not asked again
            typer.echo(f"{name}: {words}")
            typed = _typed(f"type its name to take it out of the cluster ({name}): ")
        if typed != name:
            left.append((name, words))
    return replace(plan, unasked=tuple(left))


def confirm(name: str, given: str | None, option: str) -> None:
    """Go on when the name was typed or given by the option. InputError otherwise; nothing was contacted."""
    if given is None and not sys.stdin.isatty():
        raise InputError(f"this needs the cluster's name: {option} {name}", remedy="nothing was contacted")
    typed = given if given is not None else str(typer.prompt(f"type the cluster's name to go on ({name})"))
    if typed != name:
        raise InputError(f"{typed!r} is not the cluster's name", remedy="nothing was contacted")
