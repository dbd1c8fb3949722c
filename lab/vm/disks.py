"""The guest's kernel and disks, from the image `vm` and the lab's keys. No mount, no boot loader."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.process import run
from lab.spec import REGISTRY_NAME
from lab.vm.spec import NAME, Place

if TYPE_CHECKING:
    from pathlib import Path

    from lab.images import Image
    from lab.paths import Home
    from lab.vm.spec import Disk

LOGIN_UID = 1000  # deploy, the first account of images/vm
BYTES_PER_INODE = "65536"  # inode tables are written whole; a quarter of the usual number is plenty


def unpack(image: Image, tree: Path) -> None:
    """Put the image's files into the folder `tree`."""
    tree.mkdir()
    container = run(["docker", "create", image.tag, "true"]).stdout.strip()
    try:
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
            words = ["tar", "-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(tree)]
            run(words, stdin=export.stdout, timeout=300)
        if export.returncode:
            raise LabError(f"docker export failed: {image.tag}")
    finally:
        run(["docker", "rm", "-f", container], check=False)


def take_kernel(tree: Path, into: Path) -> None:
    """Copy the guest's own kernel and initial RAM disk out of its tree: the emulator starts them."""
    for pattern, name in (("vmlinuz-*", "vmlinuz"), ("initrd.img-*", "initrd.img")):
        found = sorted((tree / "boot").glob(pattern))
        if len(found) != 1:
            raise LabError(f"the guest image has {len(found)} files /boot/{pattern}, one was expected")
        shutil.copyfile(found[0], into / name)


def personalise(tree: Path, home: Home, place: Place) -> None:
    """Names, keys and the registry's CA; what marks a container goes away."""
    (tree / ".dockerenv").unlink(missing_ok=True)
    etc = tree / "etc"
    _write(etc / "hostname", f"{NAME}\n")
    _write(etc / "hosts", f"127.0.0.1 localhost\n127.0.1.1 {NAME}\n::1 localhost\n")
    _write(etc / "resolv.conf", "# no name service: nothing but this host answers\n")
    _write(etc / "machine-id", f"{os.urandom(16).hex()}\n", 0o444)
    _write(etc / "ssh" / place.host_key.name, place.host_key.read_text(), 0o600)
    _write(etc / "docker/certs.d" / REGISTRY_NAME / "ca.crt", home.ca.read_text())
    authorized = tree / "home/deploy/.ssh/authorized_keys"
    _write(authorized, home.key.with_suffix(".pub").read_text(), 0o600)
    os.chown(authorized, LOGIN_UID, LOGIN_UID)


def make(disk: Disk, folder: Path, content: Path | None) -> None:
    """Make the disk's file system in `folder`, holding what lies in `content`."""
    target = folder / disk.base
    target.unlink(missing_ok=True)
    filled = ["-d", str(content)] if content else []
    whole = ["-i", BYTES_PER_INODE, "-E", "lazy_itable_init=0"]
    run(
        ["mke2fs", "-q", "-t", "ext4", "-L", disk.label, *whole, *filled, str(target), disk.size], timeout=300
    )


def overlay(disk: Disk, folder: Path) -> None:
    """Make the file that takes what the guest writes."""
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk.base, str(folder / disk.live)]
    run(words)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
