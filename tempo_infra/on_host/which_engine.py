"""Which container engine this host has: whatever answers on Docker's socket is asked what it is."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional

from tempo_infra.on_host import engine
from tempo_infra.on_host.engine_here import (
    INSTEAD,
    SNAP,
    UNIT,
    WHY,
    Unfit,
    daemons,
    engines,
    has_unit,
    is_podmans,
    podman,
    program,
    rootless,
)
from tempo_infra.on_host.probes.reading import Unread, read_file
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BRIDGE = "com.docker.network.bridge"


@dataclass(frozen=True)
class Engine:
    """The engine of this host; without a version, and nothing unfit either, there is none."""

    version: Optional[str] = None  # "26.1.5+dfsg1"; None: nothing answers
    unfit: "list[Unfit]" = field(default_factory=list)
    filters: bool = True  # it makes the firewall's rules by which containers reach other hosts
    containerd: str = ""  # its version, in the engine's words
    cgroups: "tuple[str, str]" = ("", "")  # version and driver

    @property
    def absent(self) -> bool:
        return self.version is None and not self.unfit


def find(*, deadline_s: float, root: Path = Path("/")) -> Engine:
    """Ask the engine what it is, by the deadline; where nothing answers, look for one."""
    until = time.monotonic() + deadline_s
    try:
        told = _object(engine.ask("/version", deadline_s=deadline_s))
        info = _object(engine.ask("/info", deadline_s=max(0.0, until - time.monotonic())))
        networks = engine.networks(deadline_s=max(0.0, until - time.monotonic()))
    except engine.NobodyThereError as error:
        return Engine(unfit=list(engines(root, str(error)))[:1])
    except StepError as error:  # something is on the socket
        return Engine(unfit=[*engines(root, str(error)), Unfit(str(error), WHY)][:1])
    unfit = [*judged(told, info), *_of_this_host(root, info), *_client(root)]
    return Engine(
        str(told.get("Version", "")),
        unfit[:1],
        masquerades(networks) or makes_rules(root),
        next((str(one.get("Version")) for one in _components(told) if one.get("Name") == "containerd"), ""),
        (str(info.get("CgroupVersion", "")), str(info.get("CgroupDriver", ""))),
    )


def _object(answer: object) -> "dict[str, Any]":
    """Return the engine's answer; StepError when what is on the socket speaks no Docker."""
    if not isinstance(answer, dict):
        raise StepError(f"what answers at {engine.SOCKET} is no Docker engine")
    return answer


def _components(told: "Mapping[str, Any]") -> "list[Mapping[str, Any]]":
    return [one for one in told.get("Components") or () if isinstance(one, dict)]


def judged(told: "Mapping[str, Any]", info: "Mapping[str, Any]") -> "Iterator[Unfit]":
    """Say what is wrong with an engine by its own answers to /version and /info."""
    names = [str(one.get("Name", "")) for one in _components(told)]
    platform = str((told.get("Platform") or {}).get("Name", ""))
    options = {part for one in info.get("SecurityOptions") or () for part in str(one).split(",")}
    if any(one.startswith("Podman") for one in names):
        yield podman(f"Podman {told.get('Version', '')} answers on Docker's socket")
    elif "Engine" not in names:
        found = ", ".join(filter(None, names)) or "something else"
        yield Unfit(f"{found} answers on Docker's socket, not Docker", INSTEAD)
    if "Docker Desktop" in platform or info.get("OperatingSystem") == "Docker Desktop":
        yield Unfit(
            "Docker Desktop runs containers in a machine of its own, without this host's folders and "
            "addresses",
            f"{INSTEAD} on the host itself",
        )
    if str(info.get("DockerRootDir", "")).startswith("/var/snap/"):
        yield SNAP
    if (info.get("InitCommit") or {}).get("ID") == "N/A":
        yield without_init(str(info.get("InitBinary") or "docker-init"))
    if "name=rootless" in options:
        yield rootless()
    if "name=userns" in options:
        yield Unfit(
            "Docker gives containers other users (userns-remap): PostgreSQL and Temporal could not read "
            "their data and passwords",
            "take userns-remap out of /etc/docker/daemon.json and restart docker; containers and images of "
            "before are not seen then",
        )


def without_init(name: str) -> Unfit:
    return Unfit(
        f"Docker has no init to give to containers ({name}): none of ours would start",
        "apt-get install tini (or reinstall docker-ce); init-path in /etc/docker/daemon.json names another",
    )


def _of_this_host(root: Path, info: "Mapping[str, Any]") -> "Iterator[Unfit]":
    """Insist that the engine has its data here, and is started by the unit that ours are ordered around."""
    folder = str(info.get("DockerRootDir", ""))
    if not folder or not (root / folder.lstrip("/")).is_dir():
        yield Unfit(
            f"the engine keeps its data in {folder or 'no folder'}, and this host has none of that name: it "
            "runs in another machine or container",
            f"{INSTEAD} on the host itself",
        )
    if not has_unit(root, UNIT):
        yield Unfit(
            f"no unit {UNIT} starts the engine: a change that a boot cuts off could not be put back first",
            f"{INSTEAD}, or give it a unit of that name",
        )


def _client(root: Path) -> "Iterator[Unfit]":
    """Insist on Docker's own program: compose, run and exec go through it."""
    client = program(root, "docker")
    if client is None:
        yield Unfit(
            "the engine answers, and root finds no `docker` program to use it with",
            "apt-get install docker-cli (Debian) or docker-ce-cli, with the compose plugin",
        )
    elif is_podmans(client):
        yield Unfit(
            f"{client} is Podman's, and the engine is Docker's",
            "apt-get remove podman-docker, then install docker-cli (Debian) or docker-ce-cli",
        )


def masquerades(networks: "Iterable[Mapping[str, Any]]") -> bool:
    """Whether the engine says of its default network that it masquerades it: it makes rules, then."""
    every = (one.get("Options") or {} for one in networks)
    keys = (f"{BRIDGE}.default_bridge", f"{BRIDGE}.enable_ip_masquerade")
    return any(all(options.get(key) == "true" for key in keys) for options in every)


def makes_rules(root: Path) -> bool:
    """Whether it was told to make the firewall's rules ("ip-masq" is for the default network alone)."""
    words = next((one.words for one in daemons(root) if not one.uid), ())
    if any(word.lower() in ("--iptables=false", "--iptables=f", "--iptables=0") for word in words):
        return False
    try:
        told = json.loads(read_file(str(root / _settings(words).lstrip("/"))))
    except (OSError, ValueError, RecursionError, Unread):  # what a process names may be anything
        return True
    return not isinstance(told, dict) or told.get("iptables") is not False


def _settings(words: "Sequence[str]") -> str:
    """Return the file of settings that an engine started with these words reads."""
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == "--config-file":
            return value if equals else "".join(words[index + 1 : index + 2])
    return "/etc/docker/daemon.json"
