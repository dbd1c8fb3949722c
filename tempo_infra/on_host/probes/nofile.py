"""How many files a process may open: this login, and the services that hand their limits on.

What a process really has stands in /proc/<pid>/limits; limits.conf, unit files and daemon.json say only
what somebody wished. Containers inherit from containerd, not from a login.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tempo_infra.on_host.probes import processes
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file

UNLIMITED = 2**63 - 1
_LINE = re.compile(r"^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Limits:
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Nofile:
    login: Reading[Limits]  # the session's first process, before any sudo
    sudo: Reading[Limits]  # the process that runs the probes
    sshd: Reading[Limits]
    containerd: Reading[Limits]
    dockerd: Reading[Limits]


def parse(text: str) -> Limits:
    """Parse /proc/<pid>/limits."""
    found = _LINE.search(text)
    if found is None:
        raise Unread("no line `Max open files` in the process's limits")
    soft, hard = (UNLIMITED if number == "unlimited" else int(number) for number in found.groups())
    return Limits(soft, hard)


def of(pid: int) -> Limits:
    return parse(read_file(f"/proc/{pid}/limits"))


def files_in_use(pid: int) -> int:
    """Count the open files of a process; another user's needs root."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _service(table: "tuple[processes.Process, ...]", *names: str) -> "Reading[Limits]":
    def read() -> Limits:
        for process in table:
            if process.name in names:
                return of(process.pid)
        raise Unread(f"no process {names[0]} runs here", not_wanted=True)

    return attempt(read)


def read() -> Nofile:
    table = processes.read()
    return Nofile(
        login=attempt(lambda: of(processes.session_start(table, os.getpid()))),
        sudo=attempt(lambda: of(os.getpid())),
        sshd=_service(table, "sshd"),
        containerd=_service(table, "containerd"),
        dockerd=_service(table, "dockerd"),
    )
