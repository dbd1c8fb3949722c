"""The folder of the database's data: its container writes in it, and its disk or network mount may hang.

Everything that is done in it is done here, by a child that can be left behind (`aside`), and what is read
there is read as anybody's (`untrusted`).
"""

from __future__ import annotations

import os
import re
import stat
import struct
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import untrusted, users
from tempo_infra.on_host.child import aside
from tempo_infra.on_host.durable import make_folder
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.unmounted import unmounted

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

NAME = "postgres"  # in the data folder: where a disk of its own is mounted
# Of a new database. A mount point is root's, holds `lost+found`, and is there without its disk, too.
INSIDE = f"{NAME}/data"
ANSWER_S, WRITE_S = 10.0, 30.0  # a disk that is slower than that is none for a database
VERSION = re.compile(rb"([0-9]{1,2})\n?")  # of a PG_VERSION
# The first field of ControlFileData (PostgreSQL, src/include/catalog/pg_control.h).
NUMBER = struct.Struct("=Q")
OF_A_FILE_SYSTEM = "lost+found"  # what a new one brings is nobody's data
PROBE_BYTES = 4096
# PostgreSQL writes its log in segments of 16 MiB, and can't start without a few; a new database takes 50 MiB.
LEAST_BYTES, NEW_BYTES = 64 * 1024 * 1024, 512 * 1024 * 1024


@dataclass(frozen=True)
class Found:
    """What lies there. None and empty: nothing of the kind."""

    there: bool = False
    folder: str = INSIDE  # where the database is or will be, in the data folder
    free_bytes: Optional[int] = None  # on its file system
    version: Optional[str] = None  # of PostgreSQL, as PG_VERSION says: "17"
    number: Optional[str] = None  # the system identifier of the database
    others: "list[str]" = field(default_factory=list)  # in a folder without a database
    read_only: str = ""  # the folder, or the nearest one above it, where its file system is
    owner: Optional[int] = None  # whose it is, where it holds anything
    problem: str = ""  # why nobody may trust it: a link, somebody else's, a pipe in place of a file


def look(layout: Layout) -> Found:
    """Look at it; NoAnswerError when its disk hangs, OSError when it can't be read."""
    return Found(**aside(lambda: asdict(_look(layout)), str(layout.data), deadline_s=ANSWER_S))


def look_or_why(layout: Layout) -> Found:
    """As `look`; what keeps it from being looked at is a problem of it."""
    try:
        return look(layout)
    except StepError as error:
        return Found(problem=f"{error}: {error.remedy}" if error.remedy else str(error))
    except OSError as error:
        return Found(problem=f"{error.filename or layout.data} can't be read: {error.strerror}")


def make(layout: Layout, uid: int) -> None:
    """Make the folder for PostgreSQL's user, or set an empty one right; NoAnswerError, OSError."""

    def work() -> None:
        make_folder(layout.data, 0o755)
        make_folder(layout.data / NAME, 0o755)
        make_folder(layout.data / INSIDE, 0o700, uid)

    aside(work, str(layout.data), deadline_s=WRITE_S)


def another_owner(found: Found, uid: int) -> str:
    """Say when data belongs to another user than its container would run as: it is never given away."""
    if found.owner in (None, uid):
        return ""
    whose = f"belongs to user {found.owner}, its container would run as {uid}"
    return f"the data of /srv/tempo/{found.folder} {whose}"


def why_not_written(layout: Layout) -> str:
    """Write and fsync a file that never gets a name; the place and why that fails, or nothing."""

    def work() -> str:
        place = nearest(layout.data / NAME)
        why = write_probe(place)
        return f"{place} can't be written: {why}" if why else ""

    try:
        return aside(work, str(layout.data), deadline_s=WRITE_S)
    except StepError as error:
        return f"{error}: {error.remedy}" if error.remedy else str(error)


def write_probe(folder: Path) -> str:
    """Write and fsync a file that never gets a name; why that fails, or nothing."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, bytes(PROBE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return str(error.strerror)
    return ""


def too_full(free_bytes: Optional[int], *, new: bool) -> str:
    """Say that its disk has too little room for a server to start; empty when it has, or nobody knows."""
    least = NEW_BYTES if new else LEAST_BYTES
    if free_bytes is None or free_bytes >= least:
        return ""
    left = f"the disk of /srv/tempo/{NAME} has {free_bytes >> 20} MiB left"
    return f"{left}, PostgreSQL wants {least >> 20} MiB: make room there"


def _look(layout: Layout) -> Found:
    data, base = layout.data, layout.data / NAME
    place = nearest(data)
    status = untrusted.status(data, NAME) if place == data else None
    usage = os.statvfs(base if status and stat.S_ISDIR(status.st_mode) else place)
    found = Found(
        read_only=str(nearest(base)) if usage.f_flag & os.ST_RDONLY else "",
        free_bytes=usage.f_bavail * usage.f_frsize,
    )
    if status is None:
        return replace(found, problem=_writable_above(place) or unmounted(layout.root, base))
    found = replace(found, there=True)
    if problem := _unfit(base, status) or _writable_above(data):
        return replace(found, problem=problem)
    try:
        return _database(layout, found, status)
    except untrusted.UnfitError as error:
        return replace(found, problem=str(error))


def _database(layout: Layout, found: Found, status: os.stat_result) -> Found:
    """Look at the database where it is: older ones lie in the folder itself, and stay there."""
    data, folder = layout.data, INSIDE
    if any(untrusted.status(data, f"{NAME}/{name}") for name in ("PG_VERSION", "global")):
        folder = NAME
    own = status if folder == NAME else untrusted.status(data, folder)
    if own is not None and (problem := _unfit(data / folder, own)):
        return replace(found, folder=folder, problem=problem)
    version = untrusted.read(data, f"{folder}/PG_VERSION") if own else None
    head = untrusted.read(data, f"{folder}/global/pg_control", NUMBER.size) if own else None
    number = str(NUMBER.unpack(head)[0]) if head is not None and len(head) == NUMBER.size else None
    others = [] if number else _others(data, folder)
    said = VERSION.fullmatch(version or b"")
    missing = unmounted(layout.root, data / NAME) if number is None else ""
    whose = (
        _not_postgresqls(data / folder, own) if own and (number or others) else ""
    )  # an empty one is made ours
    return replace(
        found,
        folder=folder,
        version=said[1].decode() if said else None,
        number=number,
        others=others,
        owner=own.st_uid if own and (number or others) else None,
        problem=missing or whose,
    )


def _others(data: Path, folder: str) -> "list[str]":
    """Return what lies there beside what a new file system brings."""
    beside = {OF_A_FILE_SYSTEM, *(() if folder == NAME else (INSIDE.rpartition("/")[2],))}
    inside = [] if folder == NAME else untrusted.names(data, folder)
    return [one for one in untrusted.names(data, NAME) if one not in beside] + inside


def _unfit(folder: Path, status: os.stat_result) -> str:
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is {untrusted.kind(status.st_mode)}, not a folder"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{folder} can be written by others ({status.st_mode & 0o7777:04o})"
    return ""


def _not_postgresqls(folder: Path, status: os.stat_result) -> str:
    if status.st_uid in users.owners():
        return ""
    ours = " or ".join(map(str, users.owners()))
    return f"{folder} belongs to user {status.st_uid}, not to PostgreSQL's ({ours})"


def _writable_above(folder: Path) -> str:
    """Say which folder on the way there somebody else may write: he could put another one in its place."""
    real = folder.resolve()
    for place in dict.fromkeys((real, *real.parents, *folder.parents)):
        status = place.stat()
        by_group = status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid())
        others = (by_group or status.st_mode & stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if others or status.st_uid not in (0, os.geteuid()):
            whose = f"user {status.st_uid}'s" if not others else f"{status.st_mode & 0o7777:04o}"
            return f"{place} can be written by others ({whose}): they could replace {folder}"
    return ""


def nearest(path: Path) -> Path:
    """Return the path itself, or the first of its parents that is there."""
    while not path.exists():
        path = path.parent
    return path
