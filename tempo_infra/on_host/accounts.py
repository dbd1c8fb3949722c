"""Whose the numbers are that containers run as: whoever has one of them reads what its service reads."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.on_host import engine, processes
from tempo_infra.on_host.shell import StepError, run

if TYPE_CHECKING:
    from typing import Iterable, Iterator

    from tempo_infra.on_host.users import Users

OF_TEMPORAL = "the database password, and what Temporal's processes hold"
OF_POSTGRESQL = "all of PostgreSQL's data"
OF_UI = "what the web UI's process holds"
ACTS = "a service acts as that group there"  # what it writes is closed to the group
# Numbers that an account may hand to containers of its own (subuid(5)).
SUBORDINATE = {"user": Path("/etc/subuid"), "group": Path("/etc/subgid")}
PROC = Path("/proc")
NSS_S = 5.0  # for accounts of a directory in the network, which may be gone
ENGINE_S = 8.0
SOME_MISSING = 2  # what `getent` ends with when it does not know all keys
MOST_NAMED = 8  # of those that have one number
LONGEST = 32  # of a name that is shown: a user's may have as many characters
NUMBER = re.compile(r"[0-9]{1,10}")  # what `isdigit` takes may be no number, or one without an end


@dataclass(frozen=True)
class Shared:
    """A number of ours that is somebody else's on this host, too."""

    number: int
    words: str


@dataclass(frozen=True)
class Accounts:
    shared: "list[Shared]" = field(default_factory=list)
    unasked: str = ""  # why it is not known whether an account has one of the numbers


def readers(users: Users, *, database: bool) -> "dict[int, str]":
    """Return the numbers that a host gives its containers, and what they read."""
    found = {users.ui: OF_UI, users.temporal: OF_TEMPORAL}  # one number for both reads what Temporal reads
    return {**found, **({users.postgresql: OF_POSTGRESQL} if database else {})}


def look(numbers: "Iterable[int]", reads: "dict[int, str] | None" = None) -> Accounts:
    """Find who has one of these numbers: accounts, ranges for containers, processes that run as it."""
    wanted = sorted(set(numbers))
    if not wanted:
        return Accounts()
    named: "dict[int, list[str]]" = {number: [] for number in wanted}
    unasked = ""
    for kind, database in (("user", "passwd"), ("group", "group")):
        try:
            for number, name in _named(database, wanted):
                named[number].append(_words(kind, number, name, (reads or {}).get(number, "")))
        except StepError as error:
            unasked = f"whether an account has the {kind} ids of containers is not known: {error}"
        for number, name in _lent(SUBORDINATE[kind], wanted):
            named[number].append(_words(f"subordinate {kind}", number, name, (reads or {}).get(number, "")))
    try:
        for number, name in _running([number for number in wanted if not named[number]]):
            what = (reads or {}).get(number, "")
            named[number].append(f"{name} runs as user id {number} on this host" + _can("it", what))
    except (OSError, ValueError) as error:
        unasked = f"whether a process runs as one of the ids of containers is not known: {error}"
    return Accounts(
        [Shared(number, one) for number in wanted for one in _some(number, named[number])], unasked
    )


def _some(number: int, words: "list[str]") -> "list[str]":
    """Return each once; of very many the first, and how many more there are."""
    each = list(dict.fromkeys(words))
    more = len(each) - MOST_NAMED
    left_out = [f"{more} more have the number {number} on this host"] if more > 0 else []
    return each[:MOST_NAMED] + left_out


def _words(kind: str, number: int, name: str, what: str) -> str:
    does = f": {ACTS}" if kind.endswith("group") else _can(name, what)
    return f"{kind} id {number} is {name} on this host{does}"


def _can(name: str, what: str) -> str:
    return f": {name} can read {what}" if what else ""


def _named(database: str, wanted: "list[int]") -> "Iterator[tuple[int, str]]":
    """Yield who has a number, also by a directory in the network; StepError when that gives no answer."""
    output = run(["getent", database, *map(str, wanted)], deadline_s=NSS_S)
    if output.returncode not in (0, SOME_MISSING):
        raise StepError(f"`getent {database}`: {output.last_words}")
    for fields in (line.split(":") for line in output.out.splitlines()):
        if len(fields) > 2 and NUMBER.fullmatch(fields[2]) and int(fields[2]) in wanted:  # noqa: PLR2004 - name:x:number
            yield int(fields[2]), _plain(fields[0])


def _lent(path: Path, wanted: "list[int]") -> "Iterator[tuple[int, str]]":
    """Yield who may use a number for containers of its own; what is no such line is left out."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for name, first, count in (line.split(":") for line in lines if line.count(":") == 2):  # noqa: PLR2004  # fields of a line
        if NUMBER.fullmatch(first) and NUMBER.fullmatch(count):
            yield from (
                (number, _plain(name)) for number in wanted if int(first) <= number < int(first) + int(count)
            )


def _running(wanted: "list[int]") -> "Iterator[tuple[int, str]]":
    """Yield processes outside of our containers that run as one of the numbers, by name."""
    found = {(number, folder) for folder in _processes() for number in _ids(folder) if number in wanted}
    ours = _ours() if found else set()
    for number, folder in sorted(found, key=lambda one: (one[0], one[1].name)):
        with contextlib.suppress(OSError):  # it ended while it was looked at
            inside = processes.container(int(folder.name), PROC)
            # Where the engine does not say which are ours, one in any container may be.
            if not (inside if ours is None else inside in ours):
                name = (folder / "comm").read_text(errors="replace").strip()
                yield number, f"the process {_plain(name)}"


def _processes() -> "list[Path]":
    return [PROC / str(pid) for pid in processes.pids(PROC)]


def _ids(folder: Path) -> "set[int]":
    """Return whom a process runs as; nothing when it ended meanwhile."""
    try:
        lines = (folder / "status").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    words = [word for line in lines if line.startswith("Uid:") for word in line.split()[1:]]
    return {int(word) for word in words if NUMBER.fullmatch(word)}


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "?", name)[:LONGEST]


def _ours() -> "set[str] | None":
    try:
        return {str(one["Id"]) for one in engine.listed(engine.OURS, stopped=False, deadline_s=ENGINE_S)}
    except StepError:
        return None
