"""Which database lives on this host: PostgreSQL's own number for its data directory, pinned at first sight.

An image that finds an empty folder makes a new database in it, and an unmounted volume looks like an empty
folder. So the number is kept outside of the data, each run compares it, and the image is given what it needs
to make a database (a password for its first start) only while one is wanted: see `permit`.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import untrusted, users
from tempo_infra.on_host.durable import make_folder, remove_file, replace_file
from tempo_infra.on_host.ownership import Want, put
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.data_folder import Found
    from tempo_infra.on_host.layout import Layout

PASSWORD = "password"  # noqa: S105 - a file's name
SHOWN = 5  # entries of a folder that a message names


@dataclass(frozen=True)
class Pin:
    system_identifier: str
    since: str
    run: str


def pinned(layout: Layout) -> Optional[Pin]:
    """Return what was pinned; StepError when the record can't be read, for nobody may guess then."""
    try:
        return Pin(**json.loads(layout.pin.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StepError(f"{layout.pin} can't be read: {error}") from error


def keep(layout: Layout, run: str, answered: Optional[str]) -> Pin:
    """Pin the number of the server that answered, or compare it with the pinned one; then forbid another."""
    if answered is None:
        raise StepError(
            "PostgreSQL answers, but global/pg_control in its data folder is no file any more",
            remedy="look at it before PostgreSQL is started again: nothing can start without it",
        )
    known = pinned(layout)
    if known is None:
        known = Pin(answered, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), run)
        replace_file(layout.pin, (json.dumps(asdict(known), sort_keys=True) + "\n").encode(), 0o600)
    elif known.system_identifier != answered:
        raise StepError(
            f"PostgreSQL answers as database {answered}, but {known.system_identifier} is pinned on this host"
        )
    permit(layout, wanted=False)
    return known


def permit(layout: Layout, *, wanted: bool, uid: Optional[int] = None) -> None:
    """Let the image make a database at its next start, or not: then the password that it wants is empty.

    `uid` is whose the folder is to be: without it, it stays whose it is.
    """
    if uid is None:
        status = untrusted.status(layout.state, layout.initdb.name)
        uid = status.st_uid if status is not None else users.OWN.postgresql
    make_folder(layout.initdb, 0o700, uid)
    word = os.urandom(16).hex() if wanted else ""
    file = Want(layout.initdb / PASSWORD, 0o400, uid, needed=True)  # the image reads it at each start
    put(file, layout.initdb, word.encode())


def must_be_known(layout: Layout, found: Found, *, wanted_new: bool, forget: bool = False) -> None:
    """Compare the data directory with the pin, under the lock, right before a server is started on it.

    `forget` gives the pinned database up, and only where there is none any more.
    """
    pin = pinned(layout)
    if forget and found.number is None:
        pin = None
    problem = found.problem or why_not(pin, found.number, found.others, wanted_new=wanted_new)
    if problem:
        raise StepError(problem, remedy="nothing was made in it; the data is as it was")
    if pin is None:
        remove_file(layout.pin)


def why_not(pin: Optional[Pin], found: Optional[str], others: "list[str]", *, wanted_new: bool = True) -> str:
    """Say why no server may start on what was found; empty when it may."""
    if pin is not None and found is None:
        return (
            f"/srv/tempo/postgres holds no database, but PostgreSQL has run here (database "
            f"{pin.system_identifier}, since {pin.since}): is its volume mounted? (If that data is lost for "
            "good, --new-database makes an empty one)"
        )
    if pin is not None and found != pin.system_identifier:
        return (
            f"/srv/tempo/postgres holds database {found}, but {pin.system_identifier} is pinned on this host "
            f"since {pin.since}: is another volume mounted?"
        )
    if found is None and others:
        shown = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
        return f"/srv/tempo/postgres is not empty and holds no database: {shown}; move that away first"
    if found is None and not wanted_new:
        return "/srv/tempo/postgres holds no database any more; it did when the plan was made"
    return ""
