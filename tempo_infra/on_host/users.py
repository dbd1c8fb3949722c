"""Who containers run as on a host: the one table of their user numbers. A group has the number of its user.

A host keeps the numbers that it began with. Its data belongs to one of them, and is never given to another.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Optional


@dataclass(frozen=True)
class Users:
    """A number for each kind of container."""

    postgresql: int  # the database: it owns the data
    temporal: int  # Temporal's services and the schema job: who reads the database's password
    ui: int  # web UI and command line, which read no secret

    @property
    def numbers(self) -> "tuple[int, ...]":
        return tuple(dict.fromkeys(asdict(self).values()))


# Nobody gives these away: adduser and useradd end at 60000 (login.defs), systemd has 60514 to 60705 and then
# 61184 to 65519 (docs/UIDS-GIDS.md), Debian's own begin at 63434 (base-passwd), subordinate ids at 100000.
# Below 65536, so that they exist in a container that is sold as a host, too.
OWN = Users(postgresql=60901, temporal=60902, ui=60903)
# What the images would choose; on most hosts these are accounts of people or of other services.
OF_IMAGES = Users(postgresql=999, temporal=1000, ui=1000)
# /etc/passwd of containers whose image does not know the number: initdb and the database's socket ask for the
# name, and a Go program that asks who it is ends without one.
ACCOUNTS = (
    ("root", 0, "/root"),
    ("postgres", OWN.postgresql, "/var/lib/postgresql"),
    ("temporal", OWN.temporal, "/tmp"),  # noqa: S108 - in its container
    ("temporal-ui", OWN.ui, "/tmp"),  # noqa: S108  # its home in the container
)
PASSWD = "".join(f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n" for name, uid, home in ACCOUNTS)


def owners() -> "tuple[int, ...]":
    """Return whom a database's data may belong to."""
    return (OWN.postgresql, OF_IMAGES.postgresql)


def known(users: Users) -> bool:
    """Whether each number is one that we give."""
    return all(
        number in (getattr(OWN, name), getattr(OF_IMAGES, name)) for name, number in asdict(users).items()
    )


def here(provisioned: Users, owner: Optional[int]) -> Users:
    """Return who containers run as on a host: as its current generation says, and its data's owner.

    `owner` is None where there is no data.
    """
    data = owner if owner in owners() else OWN.postgresql
    return Users(data, provisioned.temporal, provisioned.ui)
