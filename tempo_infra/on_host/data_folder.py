"""The folder of the database's data: its container writes in it, and its disk or network mount may hang.

Everything that is done in it is done here, by a child that can be left behind (`aside`), and what is read
there is read as anybody's (`untrusted`).
"""

from __future__ import annotations

import os
import re
import stat
import struct
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import untrusted, users
from tempo_infra.on_host.aside import aside
from tempo_infra.on_host.durable import make_folder
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

NAME = "postgres"  # in the data folder
ANSWER_S, WRITE_S = 10.0, 30.0  # a disk that is slower than that is none for a database
VERSION = re.compile(rb"([0-9]{1,2})\n?")  # of a PG_VERSION
# The first field of ControlFileData (PostgreSQL, src/include/catalog/pg_control.h).
NUMBER = struct.Struct("=Q")
OF_A_FILE_SYSTEM = "lost+found"  # what a new one brings is nobody's data
PROBE_BYTES = 4096


@dataclass(frozen=True)
class Found:
    """What lies there. None and empty: nothing of the kind."""

    there: bool = False
    version: Optional[str] = None  # of PostgreSQL, as PG_VERSION says: "17"
    number: Optional[str] = None  # the system identifier of the database
    others: "list[str]" = field(default_factory=list)  # in a folder without a database
    read_only: str = ""  # the folder, or the nearest one above it, where its file system is
    owner: Optional[int] = None  # whose it is, where it holds anything
    problem: str = ""  # why nobody may trust it: a link, somebody else's, a pipe in place of a file


def look(layout: Layout) -> Found:
    """Look at it; NoAnswerError when its disk hangs, OSError when it can't be read."""
    return Found(**aside(lambda: asdict(_look(layout.data)), str(layout.data), deadline_s=ANSWER_S))


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
        make_folder(layout.data / NAME, 0o700, uid)

    aside(work, str(layout.data), deadline_s=WRITE_S)


def another_owner(found: Found, uid: int) -> str:
    """Say when data belongs to another user than its container would run as: it is never given away."""
    if found.owner in (None, uid):
        return ""
    return f"the data of /srv/tempo/{NAME} belongs to user {found.owner}, its container would run as {uid}"


def why_not_written(layout: Layout) -> str:
    """Write and fsync a file that never gets a name; the place and why that fails, or nothing."""

    def work() -> str:
        place = _nearest(layout.data)
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


def _look(data: Path) -> Found:
    place = _nearest(data)
    read_only = str(place) if os.statvfs(place).f_flag & os.ST_RDONLY else ""
    if place != data or (status := untrusted.status(data, NAME)) is None:
        return Found(read_only=read_only, problem=_writable_above(place))
    if problem := _unfit(data / NAME, status) or _writable_above(data):
        return Found(there=True, read_only=read_only, problem=problem)
    try:
        version = untrusted.read(data, f"{NAME}/PG_VERSION")
        head = untrusted.read(data, f"{NAME}/global/pg_control", NUMBER.size)
    except untrusted.UnfitError as error:
        return Found(there=True, read_only=read_only, problem=str(error))
    number = str(NUMBER.unpack(head)[0]) if head is not None and len(head) == NUMBER.size else None
    others = [] if number else [one for one in untrusted.names(data, NAME) if one != OF_A_FILE_SYSTEM]
    said = VERSION.fullmatch(version or b"")
    used = number or others
    problem = _not_postgresqls(data / NAME, status) if used else ""  # a new file system's is made ours
    return Found(
        there=True,
        version=said[1].decode() if said else None,
        number=number,
        others=others,
        read_only=read_only,
        owner=status.st_uid if used else None,
        problem=problem,
    )


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


def _nearest(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
