"""What the machine needs from its distribution, and installing what it lacks."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.process import run, succeeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.steps import Step

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Need:
    """A Debian package, and how to tell that the machine already has what it brings."""

    package: str
    present: Callable[[], bool]


def on_path(command: str) -> Callable[[], bool]:
    """A test for `command`, also where root's PATH lacks the sbin folders."""
    return lambda: (
        shutil.which(command, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN])) is not None
    )


def needs(daemon_answers: bool) -> tuple[Need, ...]:
    """All that the lab takes from the distribution; the Docker engine only where none answers already."""
    engine = (Need("docker.io", on_path("dockerd")), Need("iptables", on_path("iptables")))
    return (
        *(() if daemon_answers else engine),
        Need("docker-cli", on_path("docker")),
        Need("mmdebstrap", on_path("mmdebstrap")),
        Need("openssl", on_path("openssl")),
        Need("openssh-client", on_path("ssh-keygen")),
        Need("iproute2", on_path("ip")),
        Need("python3-pip", lambda: succeeds(["python3", "-m", "pip", "--version"])),
        Need("ca-certificates", Path("/etc/ssl/certs/ca-certificates.crt").exists),
    )


def missing(wanted: Iterable[Need]) -> list[str]:
    """The packages to install, in order, each once."""
    return list(dict.fromkeys(need.package for need in wanted if not need.present()))


def ensure(step: Step, daemon_answers: bool) -> None:
    """Install what the lab itself needs."""
    ensure_packages(step, needs(daemon_answers))


def ensure_packages(step: Step, wanted: Iterable[Need]) -> None:
    """Install what is missing, after saying what."""
    if not (lacking := missing(wanted)):
        return
    if os.geteuid() != 0:
        raise LabError(f"this machine lacks {', '.join(lacking)}; run as root, or install them first")
    step.working(f"installing with apt-get: {' '.join(lacking)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], timeout=300, env=quiet)
    if "docker-cli" in lacking and not succeeds(["apt-cache", "show", "docker-cli"]):
        lacking.remove(
            "docker-cli"
        )  # Debian 12 has the command in docker.io, which comes along with the engine
        lacking.append("docker.io")
    run(["apt-get", "install", "-qy", "--no-install-recommends", *lacking], timeout=900, env=quiet)
