"""The Docker engine of the host, and what each of its running containers really has."""

from __future__ import annotations

import os
import re
import time
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import engine, processes, which_engine
from tempo_infra.on_host.engine_here import Unfit  # noqa: TC001 - readers of Facts need the type
from tempo_infra.on_host.layout import PROJECT
from tempo_infra.on_host.probes import nofile
from tempo_infra.on_host.probes.nofile import Limits  # noqa: TC001 - readers of Facts need the type
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, output_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEADLINE_S = 8.0
MAX_CONTAINERS = 200
NOT_ASKED: "Reading[Any]" = Reading(None, "not asked", not_wanted=True)


@dataclass(frozen=True, slots=True)
class Container:
    name: str
    project: str  # the compose project; empty for containers that compose didn't make
    service: str
    image: str
    state: str  # "running", …
    health: str  # "healthy", "unhealthy", "starting" or "" without a health check
    pid: int
    started_at: str
    restarts: int
    nofile: Reading[Limits]  # the lowest of all its processes
    files_in_use: Reading[int]  # by the process that has most open
    mounts: tuple[str, ...] = ()  # folders of the host
    processes: int = 1

    @property
    def ours(self) -> bool:
        return self.project == PROJECT


@dataclass(frozen=True, slots=True)
class Stopped:
    """A service's container that is there and doesn't run; jobs that are over are none."""

    service: str
    state: str  # "exited", "restarting", "created", "dead", "paused"
    detail: str  # the engine's words: "Exited (137) 2 minutes ago"


@dataclass(frozen=True, slots=True)
class Cgroups:
    version: str  # "2"
    driver: str  # "systemd" or "cgroupfs"


@dataclass(frozen=True, slots=True)
class Kind:
    """What the engine is, where that keeps our services from running in it."""

    answers: bool = True
    unfit: tuple[Unfit, ...] = ()
    filters: bool = True  # it makes the firewall's rules


@dataclass(frozen=True, slots=True)
class Docker:
    engine: Reading[str]  # "28.2.2"
    containerd: Reading[str]
    cgroups: Reading[Cgroups]
    compose: Reading[str]
    containers: Reading[tuple[Container, ...]]  # those that run
    stopped: Reading[tuple[Stopped, ...]]  # services of ours that should run and don't
    kind: Reading[Kind] = NOT_ASKED


def parse_version(text: str) -> str:
    """Return the first version number of a line: "v2.32.4", "Docker Compose version 2.20.0"."""
    found = re.search(r"\b[vV]?(\d+\.\d+(?:\.\d+)?)", text)
    if found is None:
        raise Unread(f"no version number in {text.strip()[:80]!r}")
    return found[1]


def at_version(text: str) -> "tuple[int, ...]":
    """Return a version as numbers that compare: "28.2.2" is (28, 2, 2)."""
    return tuple(int(part) for part in text.split("."))


def container(
    entry: "dict[str, Any]", members: "Mapping[str, tuple[int, ...]]" = types.MappingProxyType({})
) -> Container:
    """Make a container of one entry of `docker inspect`, and ask /proc what its processes really have."""
    state, config = entry["State"], entry["Config"]
    labels = config.get("Labels") or {}
    pid = int(state["Pid"])
    pids = members.get(str(entry.get("Id", "")), ()) or (pid,)
    return Container(
        name=str(entry["Name"]).lstrip("/"),
        project=str(labels.get("com.docker.compose.project", "")),
        service=str(labels.get("com.docker.compose.service", "")),
        image=str(config.get("Image", "")),
        state=str(state["Status"]),
        health=str((state.get("Health") or {}).get("Status", "")),
        pid=pid,
        started_at=str(state["StartedAt"]),
        restarts=int(entry.get("RestartCount", 0)),
        nofile=attempt(lambda: nofile.lowest(pids)),
        files_in_use=attempt(lambda: nofile.most_in_use(pids)),
        mounts=tuple(str(one.get("Source", "")) for one in entry.get("Mounts") or ()),
        processes=len(pids),
    )


def _compose() -> str:
    try:
        return parse_version(output_of("docker", "compose", "version", "--short", deadline_s=DEADLINE_S))
    except Unread as error:
        said = str(error).split(" | ")[0]
        raise Unread(f"the engine has no Compose v2 plugin: {said}", not_wanted=True) from error


def _containers() -> "tuple[Container, ...]":
    listed = engine.listed([], stopped=False, deadline_s=DEADLINE_S)
    if len(listed) > MAX_CONTAINERS:
        raise Unread(f"{len(listed)} containers run here; at most {MAX_CONTAINERS} are read")
    members, until = processes.by_container(), time.monotonic() + DEADLINE_S
    found = [engine.inspect(str(one["Id"]), deadline_s=max(0.0, until - time.monotonic())) for one in listed]
    made = [container(entry, members) for entry in found if entry is not None]
    return tuple(sorted(made, key=lambda one: one.name))


def _stopped() -> "tuple[Stopped, ...]":
    return stopped(engine.listed(engine.KEPT_RUNNING, stopped=True, deadline_s=DEADLINE_S))


def stopped(listed: "Iterable[Mapping[str, Any]]") -> "tuple[Stopped, ...]":
    """Return those of the listed containers that don't run."""
    rows = (
        Stopped(engine.named(one.get("Labels") or {}), str(one["State"]), str(one["Status"]))
        for one in listed
        if one["State"] != "running"
    )
    return tuple(sorted(rows, key=lambda one: (one.service, one.state, one.detail)))


def _may_ask() -> None:
    if Path(engine.SOCKET).exists() and not os.access(engine.SOCKET, os.W_OK):
        raise Unread(f"uid {os.geteuid()} may not ask the Docker engine; root and group docker may")


def _nothing(why: str, *, not_wanted: bool = False, kind: "Reading[Kind] | None" = None) -> Docker:
    silent: "Reading[Any]" = Reading(None, why, not_wanted)
    return Docker(silent, silent, silent, silent, silent, silent, kind or silent)


def read() -> Docker:
    """Ask the engine; one answer that doesn't come spares the others their deadline."""
    try:
        _may_ask()
    except Unread as error:
        return _nothing(str(error))
    found = which_engine.find(deadline_s=DEADLINE_S)
    kind = Kind(found.version is not None, tuple(found.unfit), found.filters)
    if found.absent:
        return _nothing("no Docker engine is installed", not_wanted=True)
    if found.version is None:
        return _nothing(found.unfit[0].what, kind=Reading(kind))
    version, containerd = found.version, found.containerd
    left_out: "Reading[Any]" = Reading(None, found.unfit[0].what if found.unfit else "", not_wanted=True)
    fit = not found.unfit
    return Docker(
        engine=attempt(lambda: parse_version(version)) if fit else left_out,
        containerd=attempt(lambda: parse_version(containerd)) if fit else left_out,
        cgroups=Reading(Cgroups(*found.cgroups)) if fit else left_out,
        compose=attempt(_compose) if fit else left_out,
        containers=attempt(_containers),
        stopped=attempt(_stopped),
        kind=Reading(kind),
    )
