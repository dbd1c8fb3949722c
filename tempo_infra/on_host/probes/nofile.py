"""How many files a process may open: this login, and the services that hand their limits on.

What a process really has stands in /proc/<pid>/limits; limits.conf, unit files and daemon.json say only
what somebody wished. Containers inherit from containerd, not from a login.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.on_host import processes
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

UNLIMITED = 2**63 - 1
_LINE = re.compile(r"^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Limits:
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the host: what it may open, and what it has open."""

    limits: Limits
    open: Reading[int]


@dataclass(frozen=True, slots=True)
class Nofile:
    login: Reading[Limits]  # the session's first process, before any sudo
    sudo: Reading[Limits]  # the process that runs the probes
    sshd: Reading[Service]
    containerd: Reading[Service]
    dockerd: Reading[Service]


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


def lowest(pids: "Sequence[int]") -> Limits:
    """Return the lowest limits among some processes; those that end meanwhile don't count."""
    found = [one.value for one in (attempt(lambda pid=pid: of(pid)) for pid in pids) if one.value]  # type: ignore[misc]  # bound now
    if not found:
        return of(pids[0])
    return Limits(min(one.soft for one in found), min(one.hard for one in found))


def most_in_use(pids: "Sequence[int]") -> int:
    """Return how many files the process with most of them has open."""
    counted = [attempt(lambda pid=pid: files_in_use(pid)).value for pid in pids]  # type: ignore[misc]  # bound now
    found = [one for one in counted if one is not None]
    return max(found) if found else files_in_use(pids[0])


def _service(table: "tuple[processes.Process, ...]", name: str) -> "Reading[Service]":
    def read() -> Service:
        pids = [process.pid for process in table if process.name == name]
        if not pids:
            raise Unread(f"no process {name} runs here", not_wanted=True)
        return Service(of(pids[0]), attempt(lambda: files_in_use(pids[0])))

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
