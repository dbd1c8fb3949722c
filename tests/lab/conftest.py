"""Lab tests run on real hosts: `make lab-up` starts them, `pytest tests/lab` uses them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lab import hosts
from lab.errors import LabError
from lab.hosts import Lab
from lab.paths import Home
from lab.vm.spec import NAME as VM_NAME
from tempo_infra.inventory import load
from tests.lab import claims

CHECKOUT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("tempo-infra")
PROJECT = "label=com.docker.compose.project=tempo-infra"
DEADLINE_S = 420
FAILED = pytest.StashKey[int]()  # how many tests had failed when the cluster was last set right
# A change of inventory by which a run waits for less; what is rendered is the same.
BRISK = (r"(?m)^limits:\n", "rollout: {decide_after: 10s, soak: 0s}\n\nlimits:\n")
# The same test over each transport; the second one is left to `make test-faults` where it takes long.
OVER_BOTH = pytest.mark.parametrize("transport", ["paramiko", "openssh"], indirect=True)
OVER_BOTH_LONG = pytest.mark.parametrize(
    "transport", ["paramiko", pytest.param("openssh", marks=pytest.mark.faults)], indirect=True
)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Inventory:
    """An inventory file in the lab's state folder, and the command run on it."""

    path: Path

    def run(self, command: str, *words: str, stdin: str | None = None) -> Ran:
        done = subprocess.run(
            [COMMAND, *command.split(), "-i", self.path, *words],
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def provision(self, *words: str) -> Ran:
        """Provision and insist on success."""
        ran = self.run("provision", *words)
        assert ran.code == 0, ran.said
        return ran


@dataclass(frozen=True)
class Variants:
    """Makes inventories that differ from the lab's in named places."""

    base: Path
    made: list[Path]

    def __call__(self, *changes: tuple[str, str], name: str = "variant") -> Inventory:
        text = self.base.read_text()
        for pattern, replacement in changes:
            text, times = re.subn(pattern, replacement, text)
            assert times >= 1, f"{pattern!r} is not in {self.base}"
        path = self.base.with_name(f"{self.base.stem}-{name}-{len(self.made)}.yaml")
        path.write_text(text)
        self.made.append(path)
        return Inventory(path)


def claim(root: Path, names: Iterable[str]) -> None:
    """Have hosts of the lab for this session alone, or end it."""
    try:
        claims.claim(root, names)
    except claims.InUseError as error:
        pytest.exit(str(error), returncode=2)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("vm"):
        claim(Home.locate().root, [VM_NAME])


def running_lab(started_by: str) -> Lab:
    """Return the lab; where it is not up the session ends, and says which command starts it."""
    try:
        return hosts.load()
    except LabError as error:
        pytest.exit(f"the lab is not up: {error}; run `{started_by}`", returncode=2)


def push_files(inventory: Path, timeout_s: float) -> Ran:
    """Push owned system files alone, as the bench does (bench/files_only.py)."""
    words = [sys.executable, "-m", "bench.files_only", str(inventory)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=CHECKOUT)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab's hosts that the inventory names: others may be somebody else's."""
    everything = running_lab("make lab-up")
    named = {host.name for host in load(_path(everything)).hosts}
    claim(everything.root, named)
    return replace(everything, hosts=tuple(host for host in everything.hosts if host.name in named))


@pytest.fixture(scope="session")
def inventory(lab: Lab) -> Inventory:
    """The lab's own inventory, or the one of $TEMPO_LAB_INVENTORY (in the same folder).

    With $TEMPO_LAB_TRANSPORT, all tests run over that transport.
    """
    return _over(Inventory(_path(lab)), os.environ.get("TEMPO_LAB_TRANSPORT", ""))


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> str:
    """What speaks ssh; tests ask for both by OVER_BOTH, else it is the inventory's."""
    return str(getattr(request, "param", ""))


def _over(inventory: Inventory, transport: str) -> Inventory:
    text = inventory.path.read_text()
    if not transport or f"\n  transport: {transport}\n" in text:
        return inventory
    path = inventory.path.with_name(f"{inventory.path.stem}-{transport}.yaml")
    text = re.sub(r"\n  transport: \w+", "", text)
    path.write_text(text.replace("\nssh:\n", f"\nssh:\n  transport: {transport}\n"))
    return Inventory(path)


def _path(lab: Lab) -> Path:
    return lab.key.with_name(os.environ.get("TEMPO_LAB_INVENTORY", "inventory.yaml"))


@pytest.fixture
def variant(inventory: Inventory, transport: str) -> Iterator[Variants]:
    variants = Variants(_over(inventory, transport).path, [])
    yield variants
    for path in variants.made:
        path.unlink()


@pytest.fixture
def brisk(cluster: Inventory, variant: Variants) -> Inventory:
    """The shared cluster, without a soak."""
    del cluster
    return variant(BRISK, name="brisk")


@pytest.fixture(scope="session")
def fresh(lab: Lab, inventory: Inventory) -> Ran:
    """Hosts with empty disks, provisioned; the run that did it. Most tests share this cluster.

    TEMPO_LAB_KEEP=1 leaves the disks as they are, for single tests while one is written.
    """
    if not os.environ.get("TEMPO_LAB_KEEP"):
        lab.reset()
    return inventory.provision("--format", "json")


@pytest.fixture
def cluster(fresh: Ran, inventory: Inventory, transport: str, request: pytest.FixtureRequest) -> Inventory:
    """The shared cluster as the lab's inventory says; brought back to that after a failed test."""
    del fresh
    failed = request.session.stash.setdefault(FAILED, 0)
    if request.session.testsfailed != failed:
        request.session.stash[FAILED] = request.session.testsfailed
        inventory.provision()
    return _over(inventory, transport)


def containers(lab: Lab, host: str) -> dict[str, dict[str, Any]]:
    """Our running containers on a host by service name: id, start time, mounts."""
    ids = lab.host(host).must(["docker", "ps", "-q", "--no-trunc", "-f", PROJECT]).split()
    if not ids:
        return {}
    found = json.loads(lab.host(host).must(["docker", "inspect", *ids]))
    return {item["Config"]["Labels"]["com.docker.compose.service"]: item for item in found}


def starts(lab: Lab) -> dict[tuple[str, str], str]:
    """(host, service) -> container id and start time; equal before and after means: nothing was restarted."""
    return {
        (host.name, service): f"{item['Id']} {item['State']['StartedAt']}"
        for host in lab.hosts
        for service, item in containers(lab, host.name).items()
    }
