"""Dangerous requests are typed out: the cluster's name, on the command line, as nobody types it by habit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def confirm_name(inventory: Path, typed: str, option: str) -> None:
    """InputError when something was typed that is not the name of the inventory's cluster."""
    from tempo_infra.inventory import load

    if typed and typed != (name := load(inventory).name):
        raise InputError(
            f"{option} {typed}: the cluster of {inventory} is {name}",
            remedy=f"type its name: {option} {name}",
        )
