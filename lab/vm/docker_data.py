"""The guest's /var/lib/docker, ready before its first boot: emulated, unpacking images takes minutes.

A throw-away engine from the lab's own host image, of the version that the guest has, pulls into a folder.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from lab import registry
from lab.errors import LabError
from lab.process import run, succeeds
from lab.spec import LABEL, NETWORK, REGISTRY_INTERNAL, REGISTRY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.images import Image
    from lab.paths import Home

CONTAINER = "tempo-lab-vm-images"
KEPT = ("image", "overlay2")  # what images consist of; the rest is the engine's own and is made at its start
CA = f"/etc/docker/certs.d/{REGISTRY_NAME}/ca.crt"
START_DEADLINE = 60.0


def digests(home: Home, official: Sequence[Image]) -> dict[str, str]:
    """Official name to the digest that the registry has; LabError if the registry lacks one."""
    found = {}
    for image in official:
        repository, _, tag = image.official.partition(":")
        found[image.official] = registry.manifest_digest(home, repository, tag)
        if not found[image.official]:
            raise LabError(f"the registry has no {image.official}: python3 -m lab up")
    return found


def fill(folder: Path, engine: Image, home: Home, wanted: Mapping[str, str]) -> None:
    """Pull `wanted` (name to digest) into `folder`, as an engine's data folder."""
    folder.mkdir(parents=True)
    run(["docker", "rm", "-f", CONTAINER], check=False)
    run([*_engine(folder, home), engine.tag, *_dockerd()])
    try:
        _wait()
        for name, digest in wanted.items():
            run(["docker", "exec", CONTAINER, "docker", "pull", "-q", f"{REGISTRY_NAME}/{name}"], timeout=300)
            pinned = f"{REGISTRY_NAME}/{name}@{digest}"
            run(["docker", "exec", CONTAINER, "docker", "image", "inspect", "-f", "ok", pinned])
        run(["docker", "stop", "-t", "30", CONTAINER])
    finally:
        run(["docker", "rm", "-f", CONTAINER], check=False)
    for entry in folder.iterdir():
        if entry.name not in KEPT:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _engine(folder: Path, home: Home) -> list[str]:
    """A container that may mount and unpack, and runs nothing but an engine."""
    return [
        "docker", "run", "-d", "--name", CONTAINER, "--label", f"{LABEL}=1",
        "--network", NETWORK, "--add-host", f"{REGISTRY_NAME.partition(':')[0]}:{REGISTRY_INTERNAL}",
        "--cap-add", "SYS_ADMIN", "--cap-add", "MKNOD", "--cap-add", "NET_ADMIN",
        "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
        "--mount", f"type=bind,source={folder},target=/var/lib/docker",
        "--mount", f"type=bind,source={home.ca},target={CA},readonly",
        "--entrypoint", "dockerd",
    ]  # fmt: skip


def _dockerd() -> list[str]:
    return ["--storage-driver", "overlay2", "--bridge", "none", "--iptables=false", "--ip6tables=false"]


def _wait() -> None:
    end = time.monotonic() + START_DEADLINE
    while not succeeds(["docker", "exec", CONTAINER, "docker", "version"], timeout=10):
        if time.monotonic() > end:
            log = run(["docker", "logs", "--tail", "10", CONTAINER], check=False)
            raise LabError(f"the engine for the guest's images does not answer:\n{log.stdout}{log.stderr}")
        time.sleep(0.2)
