"""What the shell offers for hosts, checks and classes: read from files, quickly, without a word on any error.

Nothing is contacted and nothing is printed: who presses a key has not asked for anything yet.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - typer reads the annotations at run time

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 200  # offers: nobody reads on
INVENTORY = "inventory.yaml"
# Shells put what is offered into the command line as it is, and zsh evaluates it: nothing that means more.
OFFERED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def hosts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the hosts of the inventory that was given before, or of the usual one; also of a faulty one."""
    return _fitting(_section(ctx, "hosts"), incomplete)


def check_ids(incomplete: str) -> list[str]:
    """Offer checks, and their groups."""
    from tempo_infra.checks.catalogue import CHECKS

    ids = [one.id for one in CHECKS]
    return _fitting([*dict.fromkeys(one.partition(".")[0] for one in ids), *ids], incomplete)


def classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the instance classes that come with the program, and the inventory's own."""
    from tempo_infra.inventory.catalogue import built_in

    return _fitting([*built_in().classes, *_section(ctx, "classes")], incomplete)


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    known = dict.fromkeys(name for name in names if name.startswith(incomplete) and OFFERED.fullmatch(name))
    return list(known)[:MOST]


def _section(ctx: typer.Context, name: str) -> list[str]:
    """Return the keys of a section of the inventory, whatever else is wrong in it; none on any error."""
    with contextlib.suppress(Exception):
        from tempo_infra.inventory import document, source

        root, _ = document.parse(source.read(Path(ctx.params.get("inventory") or INVENTORY)))
        section = root.entries[name].node if isinstance(root, document.Mapping) else root
        return list(section.entries) if isinstance(section, document.Mapping) else []
    return []
