"""Reading in a folder that somebody else may write: a container's user, or another person of the host.

What lies there is whatever they put there: a link to a file that is not theirs, a pipe that nobody ever
writes to, a device, a file without an end. So it is walked by descriptor, follows no link, opens regular
files alone, waits for nothing and takes little. The only way in below the data and secrets folders.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from typing import Iterator

MOST_BYTES, MOST_NAMES = 4096, 64
KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class UnfitError(StepError):
    """Something else lies where a file or folder should be."""


def read(root: Path, name: str, most: int = MOST_BYTES) -> Optional[bytes]:
    """Return the first bytes of a file below `root`, None when there is none. UnfitError, OSError.

    `root` itself may be reached by links: it and what is above it are not theirs to change.
    """
    *folders, last = PurePosixPath(name).parts
    try:
        with _opened(root, folders) as folder:
            _must_be(stat.S_IFREG, last, folder, root / name)
            descriptor = os.open(last, _FILE, dir_fd=folder)
            with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise UnfitError(f"{root / name} is no file any more")
                return file.read(most)
    except FileNotFoundError:
        return None


def holds(root: Path, name: str, content: bytes) -> bool:
    """Whether a file is there with just this content; what else lies in its place is to be written over."""
    try:
        return read(root, name, len(content) + 1) == content
    except UnfitError:
        return False


def names(root: Path, name: str, most: int = MOST_NAMES) -> "list[str]":
    """Return what a folder below `root` holds, as many names as are wanted; nothing where there is none."""
    try:
        with _opened(root, PurePosixPath(name).parts) as folder, os.scandir(folder) as found:
            return sorted(one.name for one in itertools.islice(found, most))
    except FileNotFoundError:
        return []


def status(root: Path, name: str) -> Optional[os.stat_result]:
    """Return what a name below `root` is, a link itself and not what it points to; None: nothing."""
    *folders, last = PurePosixPath(name).parts
    try:
        with _opened(root, folders) as folder:
            return os.stat(last, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def kind(mode: int) -> str:
    return KINDS.get(stat.S_IFMT(mode), "no file")


@contextlib.contextmanager
def _opened(root: Path, folders: "tuple[str, ...] | list[str]") -> "Iterator[int]":
    """Open a folder below `root`, one component after the other."""
    place, descriptor = root, os.open(root, _FOLDER)
    try:
        for name in folders:
            place /= name
            _must_be(stat.S_IFDIR, name, descriptor, place)
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _must_be(wanted: int, name: str, folder: int, place: Path) -> None:
    """Look before opening: to open a device may already do something."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_IFMT(mode) != wanted:
        raise UnfitError(f"{place} is {kind(mode)}, not {KINDS[wanted]}", remedy="look at it on the host")
