"""Who is at work here, as far as this host knows by itself: what an operator's program says is a claim."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.on_host import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = re.compile(r"[0-9]{1,10}")
UNSET = str(2**32 - 1)  # of a loginuid: nobody logged in, or the kernel keeps no audit
MOST_PROCESSES = 64  # from here up to the login
ADDRESS = re.compile(r"[0-9A-Fa-f.:]+(%[A-Za-z0-9_.-]+)?")
DEV_LOG = "dev/log"
AUTH_NOTICE = "<37>"  # facility auth, severity notice (RFC 3164)


def login(root: Path = Path("/"), me: "int | None" = None) -> str:
    """Return the login's user and where it came from, as in "deploy from 203.0.113.7".

    The user: that of the kernel's audit, whatever sudo and su did since; else who called sudo. The address:
    that of the connection whose shell is highest above this process, which its user can't have set.
    """
    at = me if me is not None else os.getpid()
    user = _audited(root, at) or os.environ.get("SUDO_USER", "") or _name(str(os.getuid()))
    came = [_variable(root, pid, "SSH_CONNECTION").partition(" ")[0] for pid in _upwards(root, at)]
    address = next((one for one in reversed(came) if ADDRESS.fullmatch(one)), "")
    return f"{user} from {address}" if address else user


def _audited(root: Path, pid: int) -> str:
    number = _text(root / f"proc/{pid}/loginuid").strip()
    return _name(number) if NUMBER.fullmatch(number) and number != UNSET else ""


def _name(number: str) -> str:
    try:
        return pwd.getpwuid(int(number)).pw_name
    except (KeyError, OverflowError):
        return f"user id {number}"


def _upwards(root: Path, pid: int) -> "Iterator[int]":
    for _ in range(MOST_PROCESSES):
        if pid <= 1:
            return
        yield pid
        found = processes.one(pid, root / "proc")
        pid = found.parent if found else 0


def _variable(root: Path, pid: int, name: str) -> str:
    lines = _text(root / f"proc/{pid}/environ").split("\0")
    return next((one.partition("=")[2] for one in lines if one.startswith(f"{name}=")), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def tell_syslog(root: Path, text: str) -> None:
    """Write one line into the system's log, so that it leaves this host with the rest; never wait for it."""
    line = "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.settimeout(0)
        log.connect(str(root / DEV_LOG))
        log.send(f"{AUTH_NOTICE}tempo-infra: {line}".encode())
