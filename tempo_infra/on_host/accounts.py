"""Whose the numbers are that containers run as: an account with one of them reads what its service reads."""

from __future__ import annotations

import contextlib
import grp
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Iterable, Iterator

# The users of the images, and what is theirs on a host.
TEMPORAL = {1000: "the database password, and what Temporal's processes hold"}
POSTGRESQL = {999: "all of PostgreSQL's data"}
READS = "{name} can read {what}"
ACTS = "a service acts as that group there"  # what it writes is closed to the group
SUBORDINATE = (
    Path("/etc/subuid"),
    Path("/etc/subgid"),
)  # numbers that an account may hand to containers of its own


def readers(files: "Iterable[str]") -> "dict[int, str]":
    """Return the numbers that a host with these rendered files gives its containers, and what they read."""
    database = any(path.startswith("services/postgresql-") for path in files)
    return {**TEMPORAL, **(POSTGRESQL if database else {})}


def taken(readers: "dict[int, str]", subordinate: "tuple[Path, ...]" = SUBORDINATE) -> "list[str]":
    """Say of each number whose it is on this host, and what that one can read; nothing if it is nobody's."""
    return [
        f"{kind} {number} is {name} on this host: {does.format(name=name, what=what)}"
        for number, what in sorted(readers.items())
        for kind, name, does in dict.fromkeys(_owners(number, subordinate))
    ]


def _owners(number: int, subordinate: "tuple[Path, ...]") -> "Iterator[tuple[str, str, str]]":
    with contextlib.suppress(KeyError):
        yield "user id", pwd.getpwuid(number).pw_name, READS
    with contextlib.suppress(KeyError):
        yield "group id", grp.getgrgid(number).gr_name, ACTS
    for path in subordinate:
        for name, first, count in _ranges(path):
            if first <= number < first + count:
                yield "subordinate id", name, READS


def _ranges(path: Path) -> "Iterator[tuple[str, int, int]]":
    """Yield who may use which numbers (subuid(5)); what is no such line is left out."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for name, first, count in (line.split(":") for line in lines if line.count(":") == 2):  # noqa: PLR2004
        if first.isdigit() and count.isdigit():
            yield name, int(first), int(count)
