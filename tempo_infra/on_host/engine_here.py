"""Which container engine lies on this host although nothing answers: processes, packages, units, a snap.

It is asked for so that nobody puts a second engine beside one that is there, stopped or elsewhere.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from tempo_infra.on_host.shell import ENVIRONMENT

UNIT, SNAP_UNIT = "docker.service", "snap.docker.dockerd.service"
UNIT_FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
# Packages that are an engine, or answer in one's place, by dpkg's names.
PACKAGES = ("docker-ce", "docker.io", "docker-engine", "docker-ee", "moby-engine", "podman-docker")
CONTAINER = re.compile(r"[0-9a-f]{64}")  # in the name of a process's control group
PEOPLE = range(1000, 60_000)  # uids of login.defs
INSTEAD = "install docker.io or docker-ce"
WHY = "systemctl status docker and journalctl -u docker -n 50 say why"


@dataclass(frozen=True)
class Unfit:
    """Why nothing of ours can run in the engine of this host, and what to do about that."""

    what: str
    remedy: str


SNAP = Unfit(
    "Docker is a snap here: it can't give containers /var/lib/tempo-infra and /srv/tempo",
    f"snap remove docker (its containers and volumes go with it), then {INSTEAD}",
)


def podman(what: str) -> Unfit:
    return Unfit(
        f"{what}: its networks, health checks and starts after a boot are not Docker's",
        f"apt-get remove podman-docker (Podman itself may stay), then {INSTEAD}",
    )


def rootless(who: str = "") -> Unfit:
    return Unfit(
        f"Docker is rootless here{who}: files have other owners in its containers, and PostgreSQL would not "
        "see who connects",
        f"{INSTEAD} for the whole system; dockerd-rootless-setuptool.sh uninstall takes this one away",
    )


def engines(root: Path, why: str) -> "Iterator[Unfit]":
    """Say what is here, what runs first; `why` is what asking it came to."""
    for process in daemons(root):
        if process.program.startswith("/snap/"):
            yield SNAP
        elif process.uid:
            yield rootless(f" (dockerd, pid {process.pid}, of {_user(root, process.uid)})")
        else:
            yield Unfit(f"dockerd runs (pid {process.pid}) and does not answer: {why}", WHY)
    if (root / "snap/docker").exists() or has_unit(root, SNAP_UNIT):
        yield SNAP
    packages, client = _packages(root), program(root, "docker")
    if "podman-docker" in packages:
        yield podman("Docker is Podman here (package podman-docker)")
    elif client and is_podmans(client):
        yield podman(f"Docker is Podman here ({client})")
    here = [*packages, *filter(None, [program(root, "dockerd")]), *([UNIT] if has_unit(root, UNIT) else [])]
    for one in here:
        yield Unfit(f"{one} is installed and does not answer: {why}", f"systemctl start docker; {WHY}")
    for unit in (home / ".config/systemd/user" / UNIT for home in _homes(root)):
        if unit.exists():
            yield rootless(f" ({unit})")


def has_unit(root: Path, name: str) -> bool:
    return any((root / folder / name).exists() for folder in UNIT_FOLDERS)


def program(root: Path, name: str) -> "Path | None":
    """Return the program that root would start by that name."""
    folders = [str(root / one.lstrip("/")) for one in ENVIRONMENT["PATH"].split(":")]
    found = shutil.which(name, path=":".join(folders))
    return Path(found) if found else None


def is_podmans(client: Path) -> bool:
    """Whether a `docker` is the script of podman-docker, or a link to Podman."""
    if "podman" in client.resolve().name:
        return True
    with client.open("rb") as opened:
        head = opened.read(4096)
    return head.startswith(b"#!") and b"podman" in head


@dataclass(frozen=True)
class Daemon:
    """A process called dockerd."""

    pid: int
    uid: int
    program: str  # its file
    words: "tuple[str, ...]"  # that it was started with


def daemons(root: Path) -> "list[Daemon]":
    """Return the processes called dockerd, root's first, but for those that run in a container."""
    found = []
    for folder in (root / "proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text(errors="replace") != "dockerd\n":
                continue
            if CONTAINER.search((folder / "cgroup").read_text(errors="replace")):
                continue
            words = tuple((folder / "cmdline").read_text(errors="replace").split("\0"))
            file = str((folder / "exe").readlink())
            found.append(Daemon(int(folder.name), folder.stat().st_uid, file, words))
        except OSError:  # it ended while it was looked at
            continue
    return sorted(found, key=lambda one: (one.uid != 0, one.pid))


def _packages(root: Path) -> "list[str]":
    """Return which engines dpkg has installed; what was removed and left its settings is not."""
    try:
        text = (root / "var/lib/dpkg/status").read_text(errors="replace")
    except OSError:
        return []
    found = re.findall(r"^Package: (\S+)\nStatus: \S+ \S+ (\S+)$", text, re.MULTILINE)
    kept = {name for name, state in found if state not in ("not-installed", "config-files")}
    return [name for name in PACKAGES if name in kept]


def _accounts(root: Path) -> "list[list[str]]":
    try:
        lines = (root / "etc/passwd").read_text(errors="replace").splitlines()
    except OSError:
        return []
    rows = [line.split(":") for line in lines]
    return [row for row in rows if len(row) == 7 and row[2].isascii() and row[2].isdigit()]  # noqa: PLR2004 - passwd(5)


def _user(root: Path, uid: int) -> str:
    return next((row[0] for row in _accounts(root) if int(row[2]) == uid), f"uid {uid}")


def _homes(root: Path) -> "list[Path]":
    return [root / row[5].lstrip("/") for row in _accounts(root) if int(row[2]) in PEOPLE]
