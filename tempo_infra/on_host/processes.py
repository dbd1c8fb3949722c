"""Which processes run on the host: number, parent, name, when they began, in which container."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tempo_infra.on_host.probes.reading import Unread, read_file

PROC = Path("/proc")
# The name may hold spaces and brackets; the start (ticks since the boot) is the 22nd field, proc_pid_stat(5).
_STAT = re.compile(r"^(\d+) \((.*)\) \S (\d{1,10})(?: -?\d+){17} (\d+) ", re.DOTALL)
_CONTAINER = re.compile(r"[/-]([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)  # Docker's names, by both drivers
SSHD = ("sshd", "sshd-session", "sshd-auth")  # split into several programs since OpenSSH 9.8


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    name: str
    began: int = 0  # ticks since the boot


def parse(text: str) -> "Process | None":
    """Parse /proc/<pid>/stat; None when it is not one."""
    found = _STAT.match(text)
    return None if found is None else Process(int(found[1]), int(found[3]), found[2], int(found[4]))


def read() -> "tuple[Process, ...]":
    """List what runs, oldest number first; processes that end meanwhile are left out."""
    found = []
    for pid in pids():
        process = one(pid)
        if process is not None:
            found.append(process)
    return tuple(found)


def one(pid: int, proc: Path = PROC) -> "Process | None":
    """Return a process; None when it has ended."""
    try:
        return parse(read_file(str(proc / str(pid) / "stat")))
    except (OSError, Unread):
        return None


def container(pid: int, proc: Path = PROC) -> str:
    """Return the id of the container that a process runs in; empty outside of any, or when it has ended."""
    try:
        return container_of(read_file(str(proc / str(pid) / "cgroup")))
    except (OSError, Unread):
        return ""


def container_of(cgroups: str) -> str:
    """Return the container's id in the text of /proc/<pid>/cgroup; empty outside of containers."""
    found = _CONTAINER.search(cgroups)
    return found[1] if found else ""


def by_container() -> "dict[str, tuple[int, ...]]":
    """Return the processes of each container, by its id."""
    found: "dict[str, tuple[int, ...]]" = {}
    for pid in pids():
        inside = container(pid)
        if inside:
            found[inside] = (*found.get(inside, ()), pid)
    return found


def pids(proc: Path = PROC) -> "list[int]":
    return sorted(int(path.name) for path in proc.iterdir() if path.name.isdecimal())


def session_start(table: "tuple[Process, ...]", pid: int) -> int:
    """Return the process that sshd started for the session of `pid`, or `pid` itself outside ssh.

    sudo may give its child other limits than the login has, so the session's own process is asked.
    """
    by_pid = {process.pid: process for process in table}
    current = by_pid.get(pid)
    while current is not None:
        parent = by_pid.get(current.parent)
        if parent is not None and parent.name in SSHD:
            return current.pid
        current = parent
    return pid


def postmasters(table: "tuple[Process, ...]") -> "tuple[int, ...]":
    """Return the PostgreSQL servers that run, in containers too: `postgres` not started by a `postgres`."""
    names = {process.pid: process.name for process in table}
    return tuple(
        process.pid
        for process in table
        if process.name == "postgres" and names.get(process.parent) != "postgres"
    )
