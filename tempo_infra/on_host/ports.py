"""Who listens on which TCP port of this host, read from /proc: no program is asked."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator

from tempo_infra.on_host import processes
from tempo_infra.on_host.probes.reading import read_file

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Sequence

LISTEN = "0A"  # include/net/tcp_states.h
ANY = ("0.0.0.0", "::")  # noqa: S104 - read, not bound
LONGEST = 15  # of a command's name, as the kernel keeps it
FIELDS = 10  # of a line of /proc/net/tcp, up to the inode
MAPPED = "::ffff:"  # IPv4 through a socket of IPv6


@dataclass(frozen=True, slots=True)
class Listener:
    address: str
    port: int


@dataclass(frozen=True)
class Holder:
    """Who listens: "nginx (pid 12)", and the container that it runs in, empty outside of any."""

    name: str = "another program"
    container: str = ""


def parse(text: str) -> "dict[Listener, str]":
    """Parse /proc/net/tcp or tcp6 (addresses are hexadecimal words in the host's byte order) to inodes."""
    found = {}
    for words in (line.split() for line in text.splitlines()[1:]):
        if len(words) >= FIELDS and words[3] == LISTEN:
            address, _, port = words[1].partition(":")
            found[Listener(_address(address), int(port, 16))] = words[9]
    return found


def listening(proc: Path = processes.PROC) -> "dict[Listener, str]":
    """Return each address and port on which something listens, and the inode of its socket."""
    found = parse(read_file(str(proc / "net/tcp")))
    with contextlib.suppress(OSError):  # a kernel without IPv6 has no such file
        found.update(parse(read_file(str(proc / "net/tcp6"))))
    return found


def taken(wanted: Sequence[str], proc: Path = processes.PROC) -> "dict[str, Holder]":
    """Return those of `address:port` on which something listens."""
    inodes = {}
    for listener, inode in listening(proc).items() if wanted else ():
        for one in wanted:
            host, _, number = one.rpartition(":")
            if number == str(listener.port) and listener.address in (host, MAPPED + host, *ANY):
                inodes[one] = inode
    names = dict(_holders(set(inodes.values()), proc)) if inodes else {}
    return {one: names.get(inode, Holder()) for one, inode in inodes.items()}


def _address(text: str) -> str:
    packed = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)  # noqa: PLR2004  # bytes of an IPv4 address


def _holders(inodes: "set[str]", proc: Path) -> "Iterator[tuple[str, Holder]]":
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in processes.pids(proc):
        for link in wanted.keys() & _links(proc / str(pid) / "fd"):
            found = processes.one(pid, proc)
            if found is not None:  # else it ended while it was looked at
                name = re.sub(r"[^\w.-]", "?", found.name)[:LONGEST]
                yield wanted[link], Holder(f"{name} (pid {pid})", processes.container(pid, proc))


def _links(folder: Path) -> "set[str]":
    found = set()
    with contextlib.suppress(OSError):
        for link in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(str(link.readlink()))
    return found
