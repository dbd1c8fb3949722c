"""Writing so that a power cut leaves the old content or the new one, never a part or nothing.

The order is the one of PostgreSQL's durable_rename: write a temporary name in the same folder, fsync it,
rename it, fsync the folder.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int, uid: int = 0) -> None:
    """Make a folder and its parents; mode and owner hold for the last one. An existing one is set right."""
    if not folder.is_dir():
        make_folder(folder.parent, 0o755) if not folder.parent.is_dir() else None
        folder.mkdir(mode=mode)
        fsync_folder(folder.parent)
    _own(folder, mode, uid)


def _own(path: Path, mode: int, uid: int) -> None:
    status = path.lstat()
    if (status.st_uid, status.st_gid) != (uid, uid) and os.geteuid() == 0:
        os.chown(path, uid, uid, follow_symlinks=False)
    if status.st_mode & 0o7777 != mode:
        path.chmod(mode)


def write_new(path: Path, content: bytes, mode: int, uid: int = 0) -> None:
    """Write a file that must not exist yet, and fsync it. Never follows a symlink planted there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if os.geteuid() == 0:
            os.fchown(file.fileno(), uid, uid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes, mode: int, uid: int = 0) -> None:
    """Replace a file's content at once: old before, new after, nothing between, also after a power cut."""
    temporary = _temporary(path)
    try:
        write_new(temporary, content, mode, uid)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def replace_symlink(path: Path, target: str) -> None:
    temporary = _temporary(path)
    temporary.symlink_to(target)
    temporary.replace(path)
    fsync_folder(path.parent)


def remove_file(path: Path) -> None:
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        fsync_folder(path.parent)


def hide(path: Path) -> Path:
    """Give a folder a temporary name before it is taken away: under its own it is never found in part."""
    hidden = _temporary(path)
    path.rename(hidden)
    return hidden


def append_line(path: Path, line: str) -> None:
    """Append one line to a journal and fsync it before returning; on a full disk nothing of it stays.

    A line that a power cut left unfinished is ended first, so that it can't swallow this one.
    """
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        unfinished = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        content = (b"\n" if unfinished else b"") + line.encode() + b"\n"
        if os.write(descriptor, content) < len(content):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        try:
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)  # what was not kept must not be read either
            raise
    finally:
        os.close(descriptor)
    if is_new:
        fsync_folder(path.parent)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")
