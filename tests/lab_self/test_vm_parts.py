"""Parts of the emulated VM that can be looked at without starting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.paths import Home
from lab.vm import VM, inventory, load, qemu
from lab.vm.spec import DATA, ROOT, Place
from tempo_infra.inventory import load as load_inventory
from tempo_infra.inventory.cluster import Role

DIGEST = f"sha256:{'0' * 64}"
IMAGES = {
    "postgres:17": DIGEST,
    "temporalio/server:1.31.2": DIGEST,
    "temporalio/admin-tools:1.31.2": DIGEST,
    "temporalio/ui:2.50.1": DIGEST,
}


@pytest.fixture
def vm(tmp_path: Path) -> VM:
    place = Place.of(Home(tmp_path))
    place.root.mkdir()
    return VM(place, place.cache / "abc", 2222, IMAGES)


def test_its_inventory_loads_and_names_what_the_vm_is(vm: VM) -> None:
    inventory.write(vm)
    cluster = load_inventory(vm.inventory)
    [host] = cluster.hosts
    assert (host.ssh.address, host.ssh.port, host.internal) == ("127.0.1.100", 2222, "10.0.2.15")
    assert set(host.roles) == set(Role)
    assert cluster.nofile == 65535
    assert dict(cluster.images.digests) == IMAGES
    assert set(cluster.image_names) == set(IMAGES)


def test_flushes_reach_the_disk_files(vm: VM) -> None:
    """Else a power cut loses what the guest was told is safe, and damages the qcow2 file itself."""
    words = words_of(vm, restore=False)
    drives = [word for word in words if word.startswith("if=none")]
    assert len(drives) == 2
    assert all("cache=writeback" in drive for drive in drives)


def test_nothing_gets_out_and_ssh_comes_in_on_loopback(vm: VM) -> None:
    [net] = [word for word in words_of(vm, restore=False) if word.startswith("user,")]
    assert "restrict=on" in net
    assert "hostfwd=tcp:127.0.1.100:2222-:22" in net


@pytest.mark.parametrize("restore", [True, False])
def test_only_a_restore_loads_the_snapshot(vm: VM, restore: bool) -> None:
    assert ("-loadvm" in words_of(vm, restore=restore)) is restore


def test_another_program_with_the_pid_file_in_its_words_is_not_the_vm(vm: VM) -> None:
    assert qemu.running(vm.place) == []
    vm.stop()


def test_a_comma_in_a_path_does_not_end_the_option(tmp_path: Path) -> None:
    place = Place.of(Home(tmp_path / "a,b"))
    words = qemu.command(place, tmp_path, 22, {ROOT.name: tmp_path / "a,b" / DATA.live}, restore=False)
    assert any("/a,,b/" in word for word in words)


def test_without_a_vm_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="vm-up"):
        load(Home(tmp_path))


def words_of(vm: VM, *, restore: bool) -> list[str]:
    disks = {disk.name: vm.disks / disk.live for disk in (ROOT, DATA)}
    return qemu.command(vm.place, vm.disks, vm.ssh_port, disks, restore=restore)
