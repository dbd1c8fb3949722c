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


def elsewhere(root: Node, folder: Path) -> list[Problem]:
    """Return the files outside of the inventory's folder, or behind a link, where that is not accepted.

    Whoever writes an inventory could name another cluster's secrets, or a file of the operator's.
    """
    accepted = descend(root, ("accept",))
    if isinstance(accepted, Sequence) and any(item.value == RISK for item in accepted.items):
        return []
    found = []
    for loc, why in NAMED.items():
        node = descend(root, loc)
        if isinstance(node, Scalar) and node.text and not straight(folder, folder / _path(node.text)):
            what = (
                f"leads out of this file's folder, or through a link, and {why};"
                f" put it beside this file, or take the risk with accept: [{RISK}]"
            )
            found.append(Problem(mark_of(root, loc), loc, what))
    return found


def _path(text: str) -> Path:
    return Path(text).expanduser() if text.startswith("~/") else Path(text)
