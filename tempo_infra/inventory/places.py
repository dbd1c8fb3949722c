"""Where the files lie that an inventory names and that are written, or opened and sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.inventory.document import Node, Scalar, Sequence, descend, mark_of
from tempo_infra.inventory.problems import Problem
from tempo_infra.trees import straight

if TYPE_CHECKING:
    from tempo_infra.inventory.problems import Loc

RISK = "files-elsewhere"
NAMED: dict[Loc, str] = {
    ("ssh", "known_hosts"): "`trust` writes it",
    ("secrets", "file"): "its passwords are sent to the hosts",
}


def elsewhere(root: Node, folder: Path) -> tuple[Loc, ...]:
    """Return the keys whose files lie outside of the inventory's folder, or behind a link.

    Whoever writes an inventory could name another cluster's secrets, or a file of the operator's.
    """
    found = ((loc, descend(root, loc)) for loc in NAMED)
    return tuple(
        loc
        for loc, node in found
        if isinstance(node, Scalar) and node.text and not straight(folder, folder / _path(node.text))
    )


def problems(root: Node, found: tuple[Loc, ...]) -> list[Problem]:
    """Return what is wrong with such files, where they are not accepted."""
    accepted = descend(root, ("accept",))
    if isinstance(accepted, Sequence) and any(item.value == RISK for item in accepted.items):
        return []
    return [
        Problem(
            mark_of(root, loc),
            loc,
            f"leads out of this file's folder, or through a link, and {NAMED[loc]};"
            f" put it beside this file, or take the risk with accept: [{RISK}]",
        )
        for loc in found
    ]


def _path(text: str) -> Path:
    return Path(text).expanduser() if text.startswith("~/") else Path(text)
