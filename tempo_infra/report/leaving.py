"""What became of a host that was left, in lines for people."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.on_host.ejecting import Ejected
    from tempo_infra.on_host.leaving import Removed

# What `eject` leaves lies in the state folder, wherever a host's root is. It is pasted, so nothing else is.
FOLDER = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)*/var/lib/tempo-infra")


def removed_lines(name: str, removed: Removed) -> Iterator[str]:
    """Yield what was taken away from a host, and what stays there."""
    if not (removed.services or removed.files or removed.state):
        yield f"{name}: nothing of ours is there"
    else:
        yield f"{name}: removed {', '.join(removed.services) or 'no service'}"
        yield from (f"  - /{path}" for path in removed.files)
        yield "  - /var/lib/tempo-infra (generations, passwords, journal)"
    yield from (f"  edited by somebody, kept aside: {path}" for path in removed.aside)
    if removed.put_back:
        values = ", ".join(f"{key(path)} = {value}" for path, value in removed.put_back.items())
        yield f"  as before the first provision: {values}"
    if removed.left:
        yield f"  in force until the next boot: {', '.join(map(key, removed.left))}"
    if removed.same:
        values = ", ".join(f"{key(path)} = {value}" for path, value in removed.same.items())
        yield f"  stays, found so before the first provision: {values}"
    if removed.copies:
        yield f"  stays: {removed.copies}, copies of files that others wrote or edited"
    yield from (f"  stays: {path}, with all data" for path in removed.data)
    if removed.images:
        yield f"  stays: {len(removed.images)} images (docker image prune -a takes them)"


def key(path: str) -> str:
    """Write `proc/sys/vm/swappiness` as sysctl does."""
    inside = path.removeprefix("proc/sys/")
    return inside.replace("/", ".") if inside != path else f"/{path}"


def ejected_lines(name: str, ejected: Ejected) -> Iterator[str]:
    """Yield how to go on with a host by hand."""
    if not ejected.services:
        yield f"{name}: ejected before: {ejected.compose_file}"
        return
    yield f"{name}: {', '.join(ejected.services)} go on"
    folder = ejected.compose_file.rpartition("/")[0]
    if FOLDER.fullmatch(folder):
        ps = f"cd {shlex.quote(folder)} && docker compose ps"
        yield f"  by hand     {ps}     ({folder}/README.md says the rest)"
    else:
        yield f"  by hand     its answer names no folder that is one of ours: {folder}"
