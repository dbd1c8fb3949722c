"""Where words of hosts and of code deep down reach a person: hints get what this command was given."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.hints import PROGRAM, Given, completed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.deploy.run import Plan
    from tempo_infra.errors import TempoInfraError


def shown(text: str) -> str:
    """Return a text whose commands of ours can be pasted."""
    return completed(text, Given.of(sys.argv[1:]))


def again() -> str:
    """Return the command that was given, to paste."""
    return shlex.join([PROGRAM, *sys.argv[1:]])


def fill_in(errors: Iterable[TempoInfraError]) -> None:
    """Make the hints of errors whole, for who shows them in parts."""
    for error in errors:
        error.what, error.remedy = shown(error.what), shown(error.remedy)


def in_plan(plan: Plan) -> Plan:
    """Return a plan as it is shown: with hints in all that is said of hosts, and not in diffs."""
    fill_in(plan.errors.values())
    hosts = tuple(
        replace(
            one,
            problems=tuple(map(shown, one.problems)),
            notes=tuple(map(shown, one.notes)),
            overridden=tuple(map(shown, one.overridden)),
        )
        for one in plan.hosts
    )
    return replace(plan, hosts=hosts, against=tuple((where, shown(what)) for where, what in plan.against))
