"""The Docker engine of the host, and what each of its running containers really has."""

from __future__ import annotations

import json
import os
import re
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host.layout import PROJECT
from tempo_infra.on_host.probes import nofile, processes
from tempo_infra.on_host.probes.nofile import Limits  # noqa: TC001 - readers of Facts need the type
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, output_of
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE_S = 8.0
MAX_CONTAINERS = 200
_COMPONENTS = "{{range .Server.Components}}{{.Name}}={{.Version}} {{end}}"
_CGROUPS = "{{.CgroupVersion}} {{.CgroupDriver}}"
_SOCKET = "/var/run/docker.sock"


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
class Docker:
    engine: Reading[str]  # "28.2.2"
    containerd: Reading[str]
    cgroups: Reading[Cgroups]
    compose: Reading[str]
    containers: Reading[tuple[Container, ...]]  # those that run
    stopped: Reading[tuple[Stopped, ...]]  # services of ours that should run and don't


def parse_version(text: str) -> str:
    """Return the first version number of a line: "v2.32.4", "Docker Compose version 2.20.0"."""
    found = re.search(r"\b[vV]?(\d+\.\d+(?:\.\d+)?)", text)
    if found is None:
        raise Unread(f"no version number in {text.strip()[:80]!r}")
    return found[1]


def at_version(text: str) -> "tuple[int, ...]":
    """Return a version as numbers that compare: "28.2.2" is (28, 2, 2)."""
    return tuple(int(part) for part in text.split("."))


def parse_inspect(text: str) -> "tuple[dict[str, Any], ...]":
    """Parse `docker inspect`'s list; Unread when it is something else."""
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise Unread(f"`docker inspect` didn't answer with JSON: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unread("`docker inspect` didn't answer with a list")
    return tuple(entries)


def parse_cgroups(text: str) -> Cgroups:
    """Parse the two words of `docker info`."""
    words = text.split()
    if len(words) != 2:  # noqa: PLR2004 - version and driver
        raise Unread(f"`docker info` answered {text.strip()[:80]!r}")
    return Cgroups(*words)


def parse_components(text: str) -> str:
    """Return containerd's version of the engine's "name=version" words."""
    versions = dict(word.partition("=")[::2] for word in text.split())
    if "containerd" not in versions:
        raise Unread("the engine names no containerd")
    return parse_version(versions["containerd"])


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


def _docker(*words: str) -> str:
    if Path(_SOCKET).exists() and not os.access(_SOCKET, os.W_OK):
        raise Unread(f"uid {os.geteuid()} may not ask the Docker engine; root and group docker may")
    try:
        return output_of("docker", *words, deadline_s=DEADLINE_S)
    except StepError as error:
        if "not found" in str(error):
            raise Unread("no Docker engine is installed", not_wanted=True) from error
        raise


def _compose() -> str:
    try:
        return parse_version(_docker("compose", "version", "--short"))
    except Unread as error:
        said = str(error).split(" | ")[0]
        raise Unread(f"the engine has no Compose v2 plugin: {said}", not_wanted=True) from error


def _containers() -> "tuple[Container, ...]":
    names = _docker("ps", "--quiet", "--no-trunc").split()
    if len(names) > MAX_CONTAINERS:
        raise Unread(f"{len(names)} containers run here; at most {MAX_CONTAINERS} are read")
    if not names:
        return ()
    entries = parse_inspect(_docker("inspect", "--type", "container", *names))
    members = processes.by_container()
    return tuple(sorted((container(entry, members) for entry in entries), key=lambda one: one.name))


def parse_stopped(text: str) -> "tuple[Stopped, ...]":
    """Parse `docker ps --all` in the format below: service, state and words, tabs between them."""
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") == 2]  # noqa: PLR2004
    return tuple(Stopped(*row) for row in sorted(rows) if row[1] != "running")


def _stopped() -> "tuple[Stopped, ...]":
    labels = (f"com.docker.compose.project={PROJECT}", "com.docker.compose.oneoff=False")
    filters = [word for one in labels for word in ("--filter", f"label={one}")]
    form = '{{.Label "com.docker.compose.service"}}\t{{.State}}\t{{.Status}}'
    return parse_stopped(_docker("ps", "--all", *filters, "--format", form))


def read() -> Docker:
    """Ask the engine; one answer that doesn't come spares the others their deadline."""
    engine = attempt(lambda: parse_version(_docker("version", "--format", "{{.Server.Version}}")))
    if engine.value is None and Path(_SOCKET).exists():
        silent: "Reading[Any]" = Reading(None, engine.unread, engine.not_wanted)
        return Docker(engine, silent, silent, silent, silent, silent)
    return Docker(
        engine=engine,
        containerd=attempt(lambda: parse_components(_docker("version", "--format", _COMPONENTS))),
        cgroups=attempt(lambda: parse_cgroups(_docker("info", "--format", _CGROUPS))),
        compose=attempt(_compose),
        containers=attempt(_containers),
        stopped=attempt(_stopped),
    )
