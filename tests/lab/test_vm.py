"""What only a machine of its own can show: limits, kernel settings, clock, disks, a power cut.

`make lab-vm-up` builds and starts the VM. Everything takes ten times as long as on a lab host.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

import lab.vm
from lab.errors import LabError
from lab.vm import VM
from tests.lab.conftest import COMMAND, Ran

pytestmark = pytest.mark.vm

DEADLINE_S = 900
BACK_S = 300
SERVICES = {"postgresql", "history", "matching", "worker", "frontend", "ui"}
CURRENT = "/var/lib/tempo-infra/current"

# Runs on the guest: service -> state, mounts, and the open-files limit of every process in its container.
CONTAINERS = """
import json, pathlib, subprocess
docker = lambda *words: subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout
ids = docker("ps", "-q", "--no-trunc", "-f", "label=com.docker.compose.project=tempo-infra").split()
found = {}
for item in json.loads(docker("inspect", *ids)) if ids else []:
    found[item["Config"]["Labels"]["com.docker.compose.service"]] = {
        "id": item["Id"], "started": item["State"]["StartedAt"], "limits": [],
        "health": item["State"].get("Health", {}).get("Status", ""),
        "mounts": {m["Destination"]: m["Source"] for m in item["Mounts"]},
    }
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        group, name = (process / "cgroup").read_text(), (process / "comm").read_text().strip()
        line = next(l for l in (process / "limits").open() if l.startswith("Max open files"))
    except OSError:
        continue
    for service in found.values():
        if service["id"] in group:
            service["limits"].append([name, *map(int, line.split()[3:5])])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def vm() -> Iterator[VM]:
    """The VM as after its first boot, for this module alone."""
    try:
        loaded = lab.vm.load()
        loaded.restore()
    except LabError as error:
        pytest.exit(f"the VM is not up: {error}; run `make lab-vm-up`", returncode=2)
    yield loaded
    loaded.restore()


@pytest.fixture(scope="module")
def cluster(vm: VM) -> VM:
    """A whole cluster on the VM."""
    ran = provision(vm)
    assert ran.code == 0, ran.said
    return vm


def provision(vm: VM) -> Ran:
    done = subprocess.run(
        [COMMAND, "provision", "-i", vm.inventory],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def containers(vm: VM) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(vm.must(["sudo", "python3", "-"], stdin=CONTAINERS))
    return found


def sysctls(vm: VM) -> dict[str, tuple[str, str]]:
    """Name -> what the installed file wants, and what the kernel has."""
    text = vm.must(["cat", "/etc/sysctl.d/60-tempo-infra.conf"])
    wanted = dict(re.findall(r"^([a-z][\w.]*) = (.+)$", text, re.MULTILINE))
    live = vm.must(["sudo", "cat", *(f"/proc/sys/{name.replace('.', '/')}" for name in wanted)]).splitlines()
    return {name: (value, now) for (name, value), now in zip(wanted.items(), live, strict=True)}


def huge_pages(vm: VM) -> dict[str, tuple[str, str]]:
    """Path below /sys -> what the installed file wants, and what the kernel has chosen."""
    text = vm.must(["cat", "/etc/tmpfiles.d/60-tempo-infra.conf"])
    wanted = dict(re.findall(r"^w\S*\s+(/sys/\S+)\s+-\s+-\s+-\s+-\s+(\S+)$", text, re.MULTILINE))
    live = vm.must(["cat", *wanted]).splitlines()
    chosen = [match[1] for line in live if (match := re.search(r"\[(\w+)\]", line))]
    return {path: (value, now) for (path, value), now in zip(wanted.items(), chosen, strict=True)}


def unpadded(value: str) -> list[str]:
    return value.split()


def test_a_restored_vm_knows_the_time(vm: VM) -> None:
    before = time.time()
    there = float(vm.must(["date", "+%s.%N"]))
    assert before - 1 < there < time.time() + 1


def test_data_lies_on_a_disk_of_its_own(vm: VM) -> None:
    source, kind = vm.must(["findmnt", "-no", "SOURCE,FSTYPE", "/srv/tempo"]).split()
    root = vm.must(["findmnt", "-no", "SOURCE", "/"]).strip()
    assert kind == "ext4"
    assert source.startswith("/dev/vd")
    assert source != root
    assert (
        vm.must(["cat", f"/sys/block/{source.removeprefix('/dev/')}/queue/write_cache"]).strip()
        == "write back"
    )


def test_every_process_of_every_service_has_the_limit_that_the_inventory_asks_for(cluster: VM) -> None:
    found = containers(cluster)
    assert set(found) == SERVICES
    for service, item in found.items():
        assert item["limits"], f"{service} has no process"
        for name, soft, hard in item["limits"]:
            assert hard == 65535, (service, name, soft, hard)
            # A Go program raises its soft limit to the hard one less one at most (syscall.adjustFileLimit).
            assert soft in (65534, 65535), (service, name, soft, hard)


def test_kernel_settings_are_live(cluster: VM) -> None:
    settings = sysctls(cluster)
    assert len(settings) >= 3
    assert {
        name: (unpadded(want), unpadded(have))
        for name, (want, have) in settings.items()
        if unpadded(want) != unpadded(have)
    } == {}
    pages = huge_pages(cluster)
    assert pages
    assert all(want == have for want, have in pages.values()), pages


def test_again_changes_nothing(cluster: VM) -> None:
    before = {service: item["started"] for service, item in containers(cluster).items()}
    ran = provision(cluster)
    assert ran.code == 0, ran.said
    assert "0 changed, 1 unchanged" in ran.out
    assert {service: item["started"] for service, item in containers(cluster).items()} == before


def test_after_a_power_cut_everything_is_back_with_its_own_files(cluster: VM) -> None:
    before = containers(cluster)
    boot = cluster.boot_id()
    cluster.power_cut()
    assert cluster.boot_id() != boot
    after = wait_for_services(cluster)
    assert {name: item["id"] for name, item in after.items()} == {
        name: item["id"] for name, item in before.items()
    }
    shipped = json.loads(cluster.must(["sudo", "cat", f"{CURRENT}/manifest.json"]))["files"]
    for service, item in after.items():
        if folder := item["mounts"].get("/etc/tempo-infra"):
            seen = cluster.must(
                ["sudo", "docker", "exec", item["id"], "sh", "-c", "cd /etc/tempo-infra && sha256sum *"]
            )
            logical = folder.removeprefix("/var/lib/tempo-infra/")
            wanted = {
                path.removeprefix(f"{logical}/"): e["sha256"]
                for path, e in shipped.items()
                if path.startswith(f"{logical}/")
            }
            assert {name: digest for digest, name in map(str.split, seen.splitlines())} == wanted, service
    assert all(want.split() == have.split() for want, have in sysctls(cluster).values())
    assert all(want == have for want, have in huge_pages(cluster).values())
    ran = provision(cluster)
    assert "0 changed, 1 unchanged" in ran.out, ran.said


def wait_for_services(vm: VM) -> dict[str, dict[str, Any]]:
    end = time.monotonic() + BACK_S
    while set(found := containers(vm)) != SERVICES:
        assert time.monotonic() < end, f"only {sorted(found)} are back after {BACK_S} s"
        time.sleep(2)
    return found
