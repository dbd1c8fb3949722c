"""Who listens on which TCP port of this host, read from /proc: no program is asked."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

if TYPE_CHECKING:
    from typing import Sequence

LISTEN = "0A"  # include/net/tcp_states.h
PROC = Path("/proc")
ANY = ("0.0.0.0", "::")  # noqa: S104 - read, not bound
LONGEST = 15  # of a command's name, as the kernel keeps it
CONTAINER = re.compile(r"[0-9a-f]{64}")  # in the name of a process's control group


@dataclass(frozen=True)
class Holder:
    """Who listens: "nginx (pid 12)", and the container that it runs in, empty outside of any."""

    name: str = "another program"
    container: str = ""


def taken(wanted: Sequence[str], proc: Path = PROC) -> "dict[str, Holder]":
    """Return those of `address:port` on which something listens."""
    inodes = {}
    for address, port, inode in _listeners(proc) if wanted else ():
        for one in wanted:
            host, _, number = one.rpartition(":")
            if number == port and address in (host, *ANY):
                inodes[one] = inode
    names = _holders(set(inodes.values()), proc) if inodes else {}
    return {one: names.get(inode, Holder()) for one, inode in inodes.items()}


def _listeners(proc: Path) -> "Iterator[tuple[str, str, str]]":
    for name in ("net/tcp", "net/tcp6"):
        try:
            lines = (proc / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == LISTEN:
                address, _, port = fields[1].partition(":")
                yield _address(address), str(int(port, 16)), fields[9]


def _address(text: str) -> str:
    """Four bytes at a time in the machine's own order, as the kernel prints them."""
    import ipaddress

    words = [int(text[i : i + 8], 16).to_bytes(4, "little") for i in range(0, len(text), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _holders(inodes: "set[str]", proc: Path) -> "dict[str, Holder]":
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    names = {}
    for folder in proc.glob("[0-9]*/fd"):
        for link in wanted.keys() & _links(folder):
            with contextlib.suppress(OSError):  # it ended while it was looked at
                told = (folder.parent / "comm").read_text(errors="replace").strip()
                name = re.sub(r"[^\w.-]", "?", told)[:LONGEST]
                group = CONTAINER.search((folder.parent / "cgroup").read_text(errors="replace"))
                names[wanted[link]] = Holder(f"{name} (pid {folder.parent.name})", group[0] if group else "")
    return names


def _links(folder: Path) -> "set[str]":
    found = set()
    with contextlib.suppress(OSError):
        for link in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(str(link.readlink()))
    return found
