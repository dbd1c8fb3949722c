"""What check-host finds on healthy lab hosts beyond `pass`, a list a host, each entry with its reason.

The lists are reviewed: tests hold every run against them, with planted faults and without. A lab host is a
container on a machine that it shares with the others, so some findings can't pass; those that time something
may warn, because the machine's other work is in them. A VPS has neither excuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CANNOT_PASS: Final = {
    "virt.kind": "a lab host is a container, and the check says so",
    "clock.sync": "the machine's clock is not the container's to keep; nothing disciplines it in the lab",
}


@dataclass(frozen=True, slots=True)
class Known:
    """The outcomes that a finding may have, and why it is not just `pass`."""

    outcomes: frozenset[str]
    reason: str


def _is(outcome: str, *names: str, why: str) -> dict[str, Known]:
    return dict.fromkeys(names, Known(frozenset({outcome}), why))


def _may(outcome: str, *names: str, why: str) -> dict[str, Known]:
    return dict.fromkeys(names, Known(frozenset({"pass", outcome}), why))


_OF_A_DATABASE = (
    "disk.growth", "temporal.members", "temporal.shards", "postgres.settings", "postgres.connections",
    "postgres.locks", "postgres.logins", "postgres.wal", "postgres.vacuum",
)  # fmt: skip
_OF_THE_CLUSTER = (
    "container.state", "container.image", "container.files", "files.drift", "temporal.health",
    "nofile.container", "temporal.shardlock", "temporal.backlog", "temporal.pollers",
)  # fmt: skip
_ON_REQUEST = _is("skip", "temporal.slots", "net.frontend", why="only an option names what to look at")
_OF_BACKUPS = _is(
    "skip", "backup.age", "backup.archive", "backup.failed", why="the lab's inventory has no backups"
)
_RACK = {
    **{name: Known(frozenset({"fail"}), why) for name, why in CANNOT_PASS.items()},
    **_is("warn", "docker.version", why="Debian 13 carries Docker 26; 28 is advised"),
    **_is("skip", "kernel.log", why="a container sees the kernel log of the machine below it"),
    **_ON_REQUEST,
    **_OF_BACKUPS,
    **_may("warn", "docker.cgroup", why="the machine's control groups may be of version 1"),
    **_may("warn", "disk.space", why="the hosts share the machine's disk"),
    **_may("warn", "disk.fsync", why="the hosts share one disk and are measured together"),
}
_NO_DATABASE = {
    **_is("skip", *_OF_A_DATABASE, why="the database is on another host"),
    **_is("skip", "kernel.thp", "kernel.dirty", why="advice for PostgreSQL's host"),
    **_may(
        "warn", "net.rtt", why="the hosts share two CPUs with everything else: who connects waits for one"
    ),
    **_may("warn", "cpu.steal", why="the machine is a virtual one itself"),
}
_QUICK = _is("skip", "disk.fsync", "disk.flush", "cpu.steal", "cpu.speed", why="left out by --quick")

RACK: Final[Mapping[str, Mapping[str, Known]]] = {
    "front-1": {
        **_RACK,
        **_NO_DATABASE,
        **_is("skip", "container.files ui", why="the UI has no files of its own"),
        **_is("pass", "temporal.members ring", why="its frontend says who is in the ring"),
        **_is("skip", "temporal.shardlock", why="the history service is on another host"),
        **_may("warn", "temporal.backlog", why="tests kill workers and leave tasks behind"),
    },
    "history-1": {
        **_RACK,
        **_NO_DATABASE,
        **_is("skip", "temporal.backlog", "temporal.pollers", why="matching and frontend are elsewhere"),
        **_may("warn", "temporal.shardlock", why="the machine's other work slows each update"),
    },
    "db-1": {
        **_RACK,
        **_is(
            "warn", "mem.total", why="a High-RAM host with 2 GiB a vCPU: the rack has to fit on one machine"
        ),
        **_is(
            "skip",
            "temporal.health",
            "temporal.shardlock",
            "temporal.pollers",
            why="no Temporal role is here",
        ),
        **_is("skip", "net.reach", why="the database connects to no other host"),
        **_may("warn", "net.rtt", why="the hosts share two CPUs with everything else"),
        **_may("warn", "temporal.backlog", why="tests kill workers and leave tasks behind"),
        **_is("skip", "disk.growth", why="a database of some minutes says nothing about growth"),
        **_is("skip", "disk.flush", "cpu.steal", "cpu.speed", why="a running database is not put under load"),
    },
}
# Before anything is provisioned, with what provisioning sets and a time server (tests/lab/planted/clocks.py).
VM: Final[Mapping[str, Known]] = {
    **_is("warn", "virt.kind", why="an emulator without hardware help calls itself qemu"),
    **_is("warn", "docker.version", why="Debian 13 carries Docker 26; 28 is advised"),
    **_ON_REQUEST,
    **_OF_BACKUPS,
    **_is("skip", "net.rtt", "net.reach", why="the VM is alone in its cluster"),
    **_is("skip", *_OF_A_DATABASE, *_OF_THE_CLUSTER, why="nothing is provisioned"),
    **_may("warn", "disk.fsync", why="an emulated flush takes as long as the machine's other work lets it"),
    **_may("warn", "clock.skew", why="an emulated clock is set to some tens of milliseconds"),
}


def beyond(
    findings: Iterable[Mapping[str, str]], known: Mapping[str, Known], *, quick: bool
) -> dict[str, set[str]]:
    """Which checks found something that a host's list doesn't hold, and the outcomes."""
    found: dict[str, set[str]] = {}
    for one in findings:
        name, outcome = one["id"], one["outcome"]
        entry = known.get(f"{name} {one['subject']}", known.get(name))
        allowed = entry.outcomes if entry else {"pass"}
        left_out = quick and outcome == "skip" and name in _QUICK
        if outcome not in allowed and not left_out:
            found.setdefault(name, set()).add(outcome)
    return found
