"""From a folder's descriptor to a file's content or back: never through a link, never waiting."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from tempo_infra.trees.refusal import UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS: Final = {
    stat.S_IFLNK: "a link, and links are not followed",
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}


@contextmanager
def held(descriptor: int) -> Iterator[int]:
    """Close it in the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def step(folder: int, name: str, path: Path, *, make: int | None = None) -> int:
    """Open a folder in a folder."""
    if make is not None:
        with suppress(FileExistsError):
            os.mkdir(name, make, dir_fd=folder)
    if not stat.S_ISDIR(look(folder, name, path).st_mode):
        raise UnfitError(path, "is a file, not a folder")
    return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def look(folder: int, name: str, path: Path) -> os.stat_result:
    """Return what a name is before it is opened: to open a device may do something. UnfitError for a link."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if kind := _KINDS.get(stat.S_IFMT(status.st_mode)):
        link = stat.S_ISLNK(status.st_mode)
        remedy = "put the file itself there, or name the place that it leads to" if link else ""
        raise UnfitError(path, f"is {kind}", remedy=remedy)
    return status


def opened(folder: int, name: str, path: Path) -> int:
    """Open a regular file to read it."""
    if stat.S_ISDIR(look(folder, name, path).st_mode):
        raise UnfitError(path, "is a folder, not a file")
    descriptor = os.open(name, _FILE, dir_fd=folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise UnfitError(path, "is something else since it was looked at")
    return descriptor


def content(descriptor: int, most: int, path: Path) -> bytes:
    """Read a file to its end; UnfitError beyond `most` bytes, whatever size it said to have."""
    parts, left = [], most + 1
    if os.fstat(descriptor).st_size <= most:
        while left and (part := os.read(descriptor, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        if left:
            return b"".join(parts)
    raise UnfitError(path, f"is larger than {f'{most >> 20} MiB' if most >> 20 else f'{most >> 10} KiB'}")


def replace(folder: int, name: str, path: Path, data: bytes, mode: int, *, durable: bool = True) -> None:
    """Put a file in the place of one."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(look(folder, name, path).st_mode):
            raise UnfitError(path, "is a folder, not a file")
    temporary = written(folder, name, data, mode, durable=durable)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise
    if durable:
        os.fsync(folder)


@contextmanager
def making(folder: int, name: str, path: Path) -> Iterator[int]:
    """Yield a new private file beside a name, which it takes in the end; where that fails it is gone."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(look(folder, name, path).st_mode):
            raise UnfitError(path, "is a folder, not a file")
    temporary = f".{name[:100]}.{os.urandom(6).hex()}"
    descriptor = os.open(temporary, _NEW, 0o600, dir_fd=folder)
    try:
        with held(descriptor):
            yield descriptor
            os.fsync(descriptor)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it: one write may take a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def written(folder: int, name: str, data: bytes, mode: int, *, durable: bool = True) -> str:
    """Write a new file beside a name, private until it is whole, and return what it is called."""
    temporary = f".{name[:100]}.{os.urandom(6).hex()}"
    descriptor = os.open(temporary, _NEW, 0o600, dir_fd=folder)
    try:
        with held(descriptor):
            write_all(descriptor, data)
            os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise
    return temporary
