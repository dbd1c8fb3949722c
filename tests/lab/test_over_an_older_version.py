"""A host of an earlier version: nothing restarts, and going back leads to what that one made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from lab.hosts import Lab
from tests.lab import invariants
from tests.lab.conftest import BRISK, CHECKOUT, DEADLINE_S, Inventory, Ran, Variants, starts

pytestmark = pytest.mark.faults

# The last commits that wrote manifests of these formats. Format 2 lists no secrets.
BEFORE = {1: "b600cd9dc26b70e4dc3651dfff12f99406a4ded3", 2: "28b03a28a3347f3fb0bca32002f70d2b53d6ef4f"}
LESS_MEMORY = (r"memory: (\d)GiB", r"memory: \g<1>000MiB")  # on every host
PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"
REFUSES_FIRST_UP = f"""#!/bin/sh
case "$*" in *" up "*) [ -e /run/refused ] || {{ touch /run/refused; exit 9; }};; esac
exec {PLUGIN}.real "$@"
"""
START = "from tempo_infra.cli.main import run; run()"


@dataclass(frozen=True)
class Earlier:
    """The program as it was then, in a folder of its own."""

    folder: Path
    format: int  # of its manifests

    def run(self, command: str, inventory: Inventory, *words: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-c", START, *command.split(), "-i", str(inventory.path), *words],
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            cwd=self.folder,
            input="",
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module", params=BEFORE)
def earlier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    folder, commit = tmp_path_factory.mktemp("earlier"), BEFORE[request.param]
    archive = ["git", "-C", str(CHECKOUT), "archive", commit, "tempo_infra", "templates", "inventory"]
    try:
        packed = subprocess.run(archive, capture_output=True, check=True, timeout=60).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"this checkout does not have the commit {commit[:12]}: fetch the whole history")
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")
    return Earlier(folder, request.param)


@pytest.fixture
def hosts(lab: Lab, inventory: Inventory, variant: Variants, earlier: Earlier) -> Iterator[Inventory]:
    """Hosts that the earlier version provisioned from nothing; afterwards they are this one's again."""
    lab.reset()
    made = variant(BRISK, name="earlier")
    ran = earlier.run("provision", made)
    assert ran.code == 0, ran.said
    assert formats(lab) == {earlier.format}
    yield made
    lab.reset()
    inventory.provision()


def formats(lab: Lab) -> set[int]:
    """Which formats the current generations' manifests have."""
    path = "/var/lib/tempo-infra/current/manifest.json"
    return {json.loads(host.must(["cat", path]))["format"] for host in lab.hosts}


def generations(lab: Lab) -> dict[str, str]:
    return {host.name: host.must(["readlink", "/var/lib/tempo-infra/current"]).strip() for host in lab.hosts}


def test_what_an_earlier_version_provisioned_goes_on_and_is_gone_back_to(
    hosts: Inventory, lab: Lab, variant: Variants, earlier: Earlier
) -> None:
    before, made = starts(lab), generations(lab)
    assert before

    assert "nothing to do" in hosts.run("plan").out
    hosts.provision()
    assert (starts(lab), formats(lab)) == (before, {earlier.format})

    variant(BRISK, LESS_MEMORY, name="less").provision()
    assert formats(lab) == {3}
    assert starts(lab) != before
    assert starts(lab).keys() == before.keys()

    back = hosts.run("rollback", "--yes")
    assert back.code == 0, back.said
    assert generations(lab) == made
    assert [wrong for host in lab.hosts for wrong in invariants.problems(host.container)] == []
    assert starts(lab).keys() == before.keys()
    now = starts(lab)
    assert "nothing to do" in hosts.run("plan").out
    assert starts(lab) == now


def test_a_change_that_fails_is_put_back_to_what_an_earlier_version_made(
    hosts: Inventory, lab: Lab, variant: Variants
) -> None:
    """The host asks the services of that generation where its version did: it does not say that itself."""
    before, made = starts(lab), generations(lab)
    changed = variant(BRISK, LESS_MEMORY, name="fails")
    last = lab.hosts[-1]
    last.must(["mv", PLUGIN, f"{PLUGIN}.real"])
    last.exec(["tee", PLUGIN], input=REFUSES_FIRST_UP)
    last.must(["chmod", "755", PLUGIN])
    try:
        ran = changed.run("provision")
    finally:
        last.must(["mv", f"{PLUGIN}.real", PLUGIN])
    assert ran.code == 1, ran.said
    assert generations(lab) == made
    assert starts(lab).keys() == before.keys()
    assert [wrong for host in lab.hosts for wrong in invariants.problems(host.container)] == []
    assert "nothing to do" in hosts.run("plan").out
