"""The file system and the device below the data directory."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tempo_infra.on_host.child import aside
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file

IN_MEMORY = ("tmpfs", "ramfs")
ANSWER_S = 10.0
_OCTAL = re.compile(r"\\([0-7]{3})")  # mountinfo writes a space as \040


@dataclass(frozen=True, slots=True)
class Mount:
    point: str
    filesystem: str  # "ext4"
    source: str  # "/dev/vda1"
    options: str  # of the mount and of the file system, comma separated


@dataclass(frozen=True, slots=True)
class Device:
    """A whole disk, as the kernel describes it; a hypervisor may say what it likes."""

    name: str  # "vda"
    model: str
    rotational: bool
    write_cache: str  # "write back", "write through" or "" when the kernel doesn't say


@dataclass(frozen=True, slots=True)
class Space:
    size_bytes: int
    free_bytes: int  # for ordinary users
    inodes: int  # 0: the file system has no fixed number
    inodes_free: int


@dataclass(frozen=True, slots=True)
class Place:
    """A directory, as its file system says."""

    real: str  # its path without links
    device: str  # "254:0"
    space: Space


@dataclass(frozen=True, slots=True)
class Disk:
    wanted: str  # the data directory
    measured: str  # the nearest parent that exists
    mount: Reading[Mount]
    devices: Reading[tuple[Device, ...]]  # more than one below RAID or LVM
    space: Reading[Space]


@dataclass(frozen=True, slots=True)
class Counters:
    """What a device has done so far, from its `stat` file."""

    writes: int
    flushes: int


def nearest(directory: str) -> str:
    """Return the directory, or its nearest parent that exists."""
    path = Path("/") / directory
    while not path.is_dir():
        path = path.parent
    return str(path)


def parse_mounts(text: str, device: str, directory: str) -> Mount:
    """Find in /proc/self/mountinfo the mount that a directory lies on, given its device number ("254:0").

    A device may be mounted in several places (bind mounts); the deepest one above the directory wins, the
    later of two at the same place.
    """
    found = None
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words, tail = left.split(), right.split()
        if len(words) < 6 or len(tail) < 2 or words[2] != device:  # noqa: PLR2004 - mountinfo's columns
            continue
        options = ",".join([words[5], *tail[2:3]])
        mount = Mount(_unescape(words[4]), tail[0], _unescape(tail[1]), options)
        if _above(mount.point, directory) and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    if found is None:
        raise Unread(f"no line of /proc/self/mountinfo is for {directory} on device {device}")
    return found


def _above(point: str, directory: str) -> bool:
    return directory == point or directory.startswith(point.rstrip("/") + "/")


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def parse_counters(text: str) -> Counters:
    """Parse /sys/block/<device>/stat; the flush columns exist since Linux 5.5."""
    columns = [int(word) for word in text.split()]
    if len(columns) < 16:  # noqa: PLR2004 - writes is column 5, flushes column 16
        raise Unread("this kernel doesn't count flushes (needs Linux 5.5)")
    return Counters(columns[4], columns[15])


def look(directory: str) -> Place:
    """Ask the directory's file system, which may hang: see `place`."""
    told = os.statvfs(directory)
    space = Space(told.f_blocks * told.f_frsize, told.f_bavail * told.f_frsize, told.f_files, told.f_favail)
    return Place(str(Path(directory).resolve()), _numbered(Path(directory).stat().st_dev), space)


def place(wanted: str) -> "tuple[str, Place]":
    """Return the nearest parent that exists, and what it is; NoAnswerError where its disk hangs."""

    def work() -> "tuple[str, dict[str, Any]]":
        directory = nearest(wanted)
        return directory, asdict(look(directory))

    directory, found = aside(work, wanted, deadline_s=ANSWER_S)
    return directory, Place(**{**found, "space": Space(**found["space"])})


def _numbered(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _mount(at: Place) -> Mount:
    return parse_mounts(read_file("/proc/self/mountinfo"), at.device, at.real)


def mount(directory: str) -> "Mount | None":
    """Return what a directory that answers is mounted from, where the kernel says it."""
    return attempt(lambda: _mount(look(directory))).value


def device_folders(at: Place) -> "tuple[str, ...]":
    """Return the /sys folders of the whole disks below a directory, through partitions, LVM and RAID."""
    number = at.device
    if number.startswith("0:"):  # an anonymous number: btrfs, overlay, tmpfs, network
        mount = _mount(at)
        if mount.filesystem in IN_MEMORY:
            raise Unread(f"{mount.filesystem} is memory, not a disk")
        if not mount.source.startswith("/dev/"):
            raise Unread(f"{mount.filesystem} has no block device of its own")
        number = _numbered(Path(mount.source).stat().st_rdev)
    return tuple(str(folder) for folder in _leaves(Path("/sys/dev/block") / number))


def _leaves(link: Path) -> "tuple[Path, ...]":
    folder = link.resolve()
    if not folder.is_dir():
        raise Unread(f"{link}: this host doesn't show the device")
    if (folder / "partition").exists():
        folder = folder.parent
    slaves = folder / "slaves"
    below = sorted(slaves.iterdir()) if slaves.is_dir() else []
    if not below:
        return (folder,)
    return tuple(dict.fromkeys(leaf for one in below for leaf in _leaves(one)))


def _text(path: str) -> str:
    try:
        return read_file(path).strip()
    except OSError:
        return ""


def _device(folder: str) -> Device:
    return Device(
        name=Path(folder).name,
        model=_text(f"{folder}/device/model"),
        rotational=_text(f"{folder}/queue/rotational") == "1",
        write_cache=_text(f"{folder}/queue/write_cache"),
    )


def counters(directory: str) -> Counters:
    """Add up what the disks below a directory have done."""
    each = [parse_counters(read_file(f"{folder}/stat")) for folder in device_folders(look(directory))]
    return Counters(sum(one.writes for one in each), sum(one.flushes for one in each))


def read(directory: str) -> Disk:
    """Describe what is below a directory. NoAnswerError where it hangs, OSError where it can't be asked."""
    measured, at = place(directory)
    return Disk(
        wanted=directory,
        measured=measured,
        mount=attempt(lambda: _mount(at)),
        devices=attempt(lambda: tuple(_device(folder) for folder in device_folders(at))),
        space=Reading(at.space),
    )
