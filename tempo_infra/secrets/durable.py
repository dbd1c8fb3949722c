"""Files that are whole or not there, also after a power cut; never readable by others on the way."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_DEADLINE_S: Final = 10.0
_LOCK_POLL_S: Final = 0.05


def replace(path: Path, data: bytes) -> None:
    """Write the file (0600) in place of what is there: temporary file, fsync, rename, fsync of the folder."""
    temporary = _written(path, data)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def create(path: Path, data: bytes) -> None:
    """Write the file (0600) unless one is there already; of several at once, one wins and none is half."""
    temporary = _written(path, data)
    try:
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which dies with its process; InputError when another holds it for 10 s."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _acquire(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + LOCK_DEADLINE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise InputError(
                    f"another tempo-infra writes secrets in {folder} since over {LOCK_DEADLINE_S:.0f} s",
                    remedy="wait until it has ended, then run this again",
                ) from error
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _written(path: Path, data: bytes) -> Path:
    """Make a temporary file beside the path, on disk; mkstemp makes it 0600."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
