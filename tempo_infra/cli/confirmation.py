"""A typed confirmation: the cluster's name, so that nobody agrees to the wrong cluster by habit."""

from __future__ import annotations

import sys

import typer

from tempo_infra.errors import InputError


def confirm(name: str, given: str | None, option: str) -> None:
    """Go on when the name was typed or given by the option. InputError otherwise; nothing was contacted."""
    if given is None and not sys.stdin.isatty():
        raise InputError(f"this needs the cluster's name: {option} {name}", remedy="nothing was contacted")
    typed = given if given is not None else str(typer.prompt(f"type the cluster's name to go on ({name})"))
    if typed != name:
        raise InputError(f"{typed!r} is not the cluster's name", remedy="nothing was contacted")
