"""A container reads its own generation's files, whatever happens to the host."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from lab.hosts import Host, Lab
from tests.lab.conftest import Inventory, Variants, containers

SERVICES = "/var/lib/tempo-infra/services/"


def mounted(lab: Lab, host: str) -> dict[str, dict[str, str]]:
    """service -> file -> digest, as the container itself reads them."""
    found = {}
    for service, item in containers(lab, host).items():
        mount = next((m for m in item["Mounts"] if m["Source"].startswith(SERVICES)), None)
        if mount is None:
            continue
        names = lab.host(host).must(["ls", mount["Source"]]).split()
        found[service] = {
            f"{mount['Source'].removeprefix(SERVICES)}/{name}": hashlib.sha256(
                lab.host(host)
                .must(["docker", "exec", item["Id"], "cat", f"{mount['Destination']}/{name}"])
                .encode()
            ).hexdigest()
            for name in names
        }
    return found


def shipped(lab: Lab, host: str, generation: str) -> dict[str, str]:
    text = lab.host(host).must(["cat", f"/var/lib/tempo-infra/generations/{generation}/manifest.json"])
    files = json.loads(text)["files"]
    return {path: entry["sha256"] for path, entry in files.items()}


def current(host: Host) -> str:
    return host.must(["readlink", "/var/lib/tempo-infra/current"]).strip().removeprefix("generations/")


@pytest.mark.parametrize("event", ["reboot", "power_cut"])
def test_after_a_crash_and_a_reboot_every_container_reads_its_own_generation(
    cluster: Inventory, lab: Lab, variant: Variants, event: str
) -> None:
    """The next generation is already on the host and current points to it, but no service was made anew: the
    containers that come back must still read the files that they were started with."""
    host = lab.host("front-1")
    running = current(host)
    before = mounted(lab, "front-1")
    files = shipped(lab, "front-1", running)
    assert set(before) >= {"frontend", "matching", "worker"}
    for service, digests in before.items():
        assert digests == {
            path.removeprefix("services/"): digest
            for path, digest in files.items()
            if path.startswith(f"services/{service}-")
        }
    other = variant(
        (r"billing, retention: 72h", "billing, retention: 96h"),
        (r"(internal: 10\.99\.0\.11\n(?:.*\n)*?.*memory: )2GiB", r"\g<1>1536MiB"),
    )
    interrupt_after_switch(lab, other)
    assert current(host) != running
    getattr(host, event)()
    wait_until_running(lab, "front-1", set(before))
    assert mounted(lab, "front-1") == before
    cluster.provision()
    assert current(host) == running


PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"
REFUSES_UP = f"""#!/bin/sh
case "$*" in *" up "*) exit 9;; esac
exec {PLUGIN}.real "$@"
"""


def interrupt_after_switch(lab: Lab, inventory: Inventory) -> None:
    """Let a run end right after it switched front-1: compose refuses to bring anything up there."""
    host = lab.host("front-1")
    host.must(["mv", PLUGIN, f"{PLUGIN}.real"])
    host.exec(["tee", PLUGIN], input=REFUSES_UP)
    host.must(["chmod", "755", PLUGIN])
    try:
        ran = inventory.run("provision", "--on-failure", "hold")
    finally:
        host.must(["mv", f"{PLUGIN}.real", PLUGIN])
    assert ran.code == 1, ran.said
    assert "front-1: up" in ran.said


def wait_until_running(lab: Lab, host: str, services: set[str]) -> None:
    deadline = time.monotonic() + 60
    while set(containers(lab, host)) < services:
        assert time.monotonic() < deadline, set(containers(lab, host))
        time.sleep(1)
