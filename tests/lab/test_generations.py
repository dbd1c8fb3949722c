"""A container reads its own generation's files, whatever happens to the host; and generation 0 comes back."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.topology import store
from tests.lab import invariants
from tests.lab.conftest import Inventory, Variants, containers, starts

SERVICES = "/var/lib/tempo-infra/services/"


def mounted(lab: Lab, host: str) -> dict[str, dict[str, str]]:
    """service -> file -> digest, as the container itself reads them."""
    found = {}
    for service, item in containers(lab, host).items():
        mount = next((m for m in item["Mounts"] if m["Destination"] == "/etc/tempo-infra"), None)
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
    """The next generation is already on the host and current points to it, but no service was recreated: the
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


OWNED = "/etc/sysctl.d/60-tempo-infra.conf"
ABSENT = ("/etc/security/limits.d/60-tempo-infra.conf", "/etc/systemd/system/tempo-infra.service")
HAND_MADE = f"echo vm.swappiness = 42 > {OWNED} && chmod 640 {OWNED} && sysctl -q -p {OWNED}"


@pytest.fixture
def made_by_hand(cluster: Inventory, lab: Lab) -> Iterator[Inventory]:
    """The cluster, adopted anew from hosts of which one had a file of its own in the place of ours."""
    name, host = load(cluster.path).name, lab.host("front-1")
    removed = cluster.run("remove", "--confirm-remove", name)
    assert removed.code == 0, removed.said
    host.must(["sh", "-c", HAND_MADE])
    cluster.provision("--take-over")
    yield cluster
    host.must(["rm", "-f", OWNED])
    cluster.provision("--take-over")


@pytest.mark.faults
def test_generation_0_is_what_was_there_before_the_first_provision(made_by_hand: Inventory, lab: Lab) -> None:
    """Files with their mode, absent ones, live kernel values; no container of ours; data stays. Whoever asks
    is told so, and a provision after it finds the data."""
    cluster, host = load(made_by_hand.path), lab.host("front-1")
    database = lab.host(store(cluster).writer.name)
    assert "vm.swappiness = 42" not in host.must(["cat", OWNED])
    before = starts(lab)
    refused = made_by_hand.run("rollback", "--to", "0")
    assert refused.code == 2, refused.said
    assert "--confirm-rollback" in refused.said
    assert starts(lab) == before

    ran = made_by_hand.run("rollback", "--to", "0", "--confirm-rollback", cluster.name)
    assert ran.code == 0, ran.said
    assert ran.out.count("(generation 0)") == len(lab.hosts), ran.said
    for one in lab.hosts:
        assert containers(lab, one.name) == {}
        assert invariants.problems(one.container) == []
        assert one.exec(["test", "-e", "/var/lib/tempo-infra/current"]).returncode != 0
        for path in ABSENT:
            assert one.exec(["test", "-e", path]).returncode != 0, (one.name, path)
    assert host.must(["cat", OWNED]) == "vm.swappiness = 42\n"
    assert host.must(["stat", "-c", "%a", OWNED]).strip() == "640"
    assert host.must(["sysctl", "-n", "vm.swappiness"]).strip() == "42"
    assert database.exec(["test", "-e", OWNED]).returncode != 0
    assert database.must(["cat", "/var/lib/tempo-infra/pgdata/PG_VERSION"]).strip() == "17"

    assert made_by_hand.run("status").out.count("(generation 0)") == len(lab.hosts)
    assert made_by_hand.run("history").out.count("confirmed generation 0\n") == len(lab.hosts)
    again = made_by_hand.run("rollback", "--to", "0", "--confirm-rollback", cluster.name)
    assert again.code == 0, again.said
    assert again.out.count("already") == len(lab.hosts), again.said
    refused = made_by_hand.run("provision")
    assert refused.code == 1, refused.said
    assert f"{OWNED} was changed on the host" in refused.said
    made_by_hand.provision("--take-over")
    for one in lab.hosts:
        assert invariants.problems(one.container) == []
    end = time.monotonic() + 120
    while (ran := made_by_hand.run("smoke", "--workflows", "8")).code != 0:
        assert time.monotonic() < end, ran.said
        time.sleep(3)
