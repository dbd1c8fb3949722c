"""Bringing the VM up and down: build its disks once, boot it once, from then on restore it in seconds."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab import engine, hosts, images, keys, registry
from lab import up as whole
from lab.errors import LabError
from lab.process import run
from lab.spec import REGISTRY_NAME
from lab.vm import disks, docker_data, inventory, qemu, tools
from lab.vm.machine import VM, describe, load
from lab.vm.spec import DATA, DISKS, IMAGE, NAME, ROOT, SSH_ADDRESS, Place

if TYPE_CHECKING:
    from lab.images import Image
    from lab.paths import Home
    from lab.steps import Step, Steps

FIRST_BOOT_DEADLINE = 480.0
MAKERS = ("disks.py", "docker_data.py")  # what they do shapes the disks, so it counts for the key
IMAGE_NAMES = "images.json"


def up(home: Home, steps: Steps) -> VM:
    """Have the VM running and ready; return it. Needs the rack only to build."""
    if os.geteuid() != 0:
        raise LabError("the VM needs root: it installs packages, makes file systems and binds port 22")
    place = Place.of(home)
    if not (home.key.exists() and home.ca.exists()):
        raise LabError("there is no lab yet: python3 -m lab up")
    with steps.step("VM packages") as step:
        tools.ensure(step)
    port = hosts.ssh_port(home)
    _make_keys(home, place, port)
    folder = place.cache / _key(home, place, port)
    with steps.step("VM disks and first boot") as step:
        if not _usable(home, folder):
            qemu.stop(place)
            _build(home, place, folder, port, step)
    vm = VM(place, folder, port, json.loads((folder / IMAGE_NAMES).read_text()))
    with steps.step("VM") as step:
        keys.write_if_changed(place.description, describe(vm))
        inventory.write(vm)
        if not (vm.running() and vm.ready()):
            step.working("restoring")
            vm.restore()
    return vm


def down(home: Home, steps: Steps) -> None:
    """End the emulator and drop what the guest has written; its built disks stay in the cache."""
    place = Place.of(home)
    with steps.step("VM") as step:
        if qemu.stop(place):
            step.working("stopped")
        for live in place.cache.glob("*/*-live.qcow2"):
            live.unlink()
        place.description.unlink(missing_ok=True)


def status(home: Home) -> tuple[bool, str]:
    """Whether the VM is well, and a line about it."""
    vm = load(home)
    if not vm.running():
        return False, f"{NAME}  BAD  not running: python3 -m lab vm-up"
    where = f"ssh {vm.ssh_address}:{vm.ssh_port}, internal {vm.internal_address}"
    well = vm.ready()
    return well, f"{NAME}  ok   {where}" if well else f"{NAME}  BAD  {where}: no login, or no Docker engine"


def _key(home: Home, place: Place, port: int) -> str:
    """Names the content of the disks and of the snapshot, which only the same emulator can take up."""
    content = [image.key for image in (images.Image(IMAGE), *_official(home))]
    given = [path.read_text() for path in (home.key.with_suffix(".pub"), place.host_key, home.ca)]
    made = [(Path(__file__).parent / name).read_text() for name in MAKERS]
    anywhere = Place(Path("/"), Path("/"))
    emulator = qemu.command(anywhere, Path("/"), port, {disk.name: Path("/") for disk in DISKS}, restore=True)
    version = run([qemu.PROGRAM, "--version"]).stdout
    return images.digest(*content, *given, *made, *emulator, version)


def _official(home: Home) -> list[Image]:
    """Return the images of `inventory/lab.yaml`: the machine has no other cluster."""
    return [image for image in whole.catalogue(home).values() if image.official and not image.below]


def _usable(home: Home, folder: Path) -> bool:
    """Whether the disks are there, with the very images that the registry has (where it can be asked)."""
    if not (folder / IMAGE_NAMES).exists():
        return False
    if not registry.answers(home):
        return True
    told: dict[str, str] = json.loads((folder / IMAGE_NAMES).read_text())
    return told == docker_data.digests(home, _official(home))


def _make_keys(home: Home, place: Place, port: int) -> None:
    """The VM's host key and the files that an inventory names: all in the VM's folder."""
    place.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not place.host_key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", str(place.host_key)])
    _copy_key(home.key, place.key)
    public = place.host_key.with_suffix(".pub").read_text()
    keys.write_if_changed(place.known_hosts, keys.known_hosts({SSH_ADDRESS: public}, port))


def _copy_key(shared: Path, own: Path) -> None:
    """A copy of the operator's key that nobody else can read, else ssh refuses it."""
    own.unlink(missing_ok=True)
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        copy.write(shared.read_bytes())


def _build(home: Home, place: Place, folder: Path, port: int, step: Step) -> None:
    """Make the disks, boot from them, take the snapshot; the folder gets its name when all is done."""
    if not (engine.answers() and registry.answers(home)):
        raise LabError("the VM's disks are built from the lab's images: python3 -m lab up")
    shutil.rmtree(place.cache, ignore_errors=True)
    building = folder.with_name(f"{folder.name}.building")
    building.mkdir(parents=True)
    names = docker_data.digests(home, _official(home))
    _make_disks(home, place, building, names, step)
    vm = VM(place, building, port, names)
    try:
        _first_boot(vm, step)
    finally:
        vm.stop()
    for disk in DISKS:
        (building / disk.live).rename(building / disk.ready)
    (building / IMAGE_NAMES).write_text(json.dumps(names))
    building.rename(folder)


def _make_disks(home: Home, place: Place, building: Path, names: dict[str, str], step: Step) -> None:
    image, host, tree = images.Image(IMAGE), whole.catalogue(home)["host"], building / "tree"
    images.build_base(step)
    for needed in (image, host):
        images.build(needed, step)
    step.working("unpacking the guest's files")
    disks.unpack(image, tree)
    disks.take_kernel(tree, building)
    disks.personalise(tree, home, place)
    step.working("pulling the images onto its disk")
    docker_data.fill(tree / "var/lib/docker", host, home, names)
    step.working("making file systems")
    disks.make(ROOT, building, tree)
    disks.make(DATA, building, None)
    shutil.rmtree(tree)
    for disk in DISKS:
        disks.overlay(disk, building)


def _first_boot(vm: VM, step: Step) -> None:
    step.working("booting it for the first time")
    vm.boot(FIRST_BOOT_DEADLINE)
    ask = partial(vm.must, timeout=120)
    state = vm.ssh(["systemctl", "is-system-running", "--wait"], timeout=FIRST_BOOT_DEADLINE).stdout.strip()
    if state != "running":
        failed = ask(["systemctl", "--failed", "--no-legend"])
        raise LabError(f"the VM is {state} after its first boot:\n{failed}")
    for name, digest in vm.images.items():
        ask(["sudo", "docker", "image", "inspect", "-f", "ok", f"{REGISTRY_NAME}/{name}@{digest}"])
    ask(["sudo", "docker", "compose", "version"])
    ask(["sync"])
    step.working("taking the snapshot")
    qemu.snapshot(vm.place)
