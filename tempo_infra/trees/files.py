"""Single files: read when they can be trusted, replaced at once, locked."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tempo_infra.errors import InputError
from tempo_infra.trees import descriptors
from tempo_infra.trees.descriptors import held
from tempo_infra.trees.owners import check, check_names, check_private, check_way
from tempo_infra.trees.refusal import UnfitError, refusing
from tempo_infra.trees.way import parent

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_DEADLINE_S: Final = 10.0
_LOCK_POLL_S: Final = 0.05


def read(path: Path, most: int, *, private: bool = False) -> bytes:
    """Return what a file holds, at most `most` bytes.

    UnfitError for what is not taken, also, with `private`, for a file that others can read; FileNotFoundError
    where there is none.
    """
    with refusing(path, "read"), held(parent(path)) as folder:
        name = _name(path)
        with held(descriptors.opened(folder, name, path)) as file:
            status = os.fstat(file)
            check_private(status, path) if private else check(status, path, file)
            check_way(folder, path.parent)
            check_names(status, folder, path)
            return descriptors.content(file, most, path)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Yield the descriptor of a file that is too large to be read at once; as `read`, by the same rules."""
    with ExitStack() as stack:
        with refusing(path, "read"), held(parent(path)) as folder:
            name = _name(path)
            file = stack.enter_context(held(descriptors.opened(folder, name, path)))
            status = os.fstat(file)
            check(status, path, file)
            check_way(folder, path.parent)
            check_names(status, folder, path)
        yield file


def write(
    path: Path, data: bytes, *, mode: int | None = None, shared: bool = False, make: bool = False
) -> None:
    """Replace a file by a temporary name, fsync and rename: it is the old one or the new one, on disk.

    Without a mode it keeps the one that it has, but for what a stranger chose, or gets 0644. `make` makes the
    folders that are missing; `shared` takes a folder that others may write in, for a report. UnfitError, and
    the file as it was.
    """
    with _writing(path, make=0o755 if make else None) as folder:
        if not shared:
            check_way(folder, path.parent)
        name = _name(path)
        descriptors.replace(
            folder, name, path, data, _kept_mode(folder, name, path) if mode is None else mode
        )


@contextmanager
def writing(path: Path) -> Iterator[int]:
    """Yield a new file, private, that takes the place of one when it is whole and on disk, or is gone."""
    with _writing(path) as folder:
        check_way(folder, path.parent)
        with descriptors.making(folder, _name(path), path) as file:
            yield file


def create(path: Path, data: bytes) -> None:
    """Write a private file unless one is there already; of several at once, one wins and none is half."""
    with _writing(path, make=0o700) as folder:
        check_way(folder, path.parent)
        temporary = descriptors.written(folder, _name(path), data, 0o600)
        try:
            with suppress(FileExistsError):
                os.link(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.unlink(temporary, dir_fd=folder)
        os.fsync(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which dies with its process; InputError when another holds it for 10 s."""
    with _writing(folder / "x") as descriptor:
        _acquire(descriptor, folder)
        yield


def straight(folder: Path, path: Path) -> bool:
    """Whether a path leads from a folder to a place below it, and through no link."""
    way = Path(os.path.relpath(path, folder))
    below = way.parts[:1] != ("..",)
    return below and Path(os.path.realpath(path)) == Path(os.path.realpath(folder)) / way


@contextmanager
def _writing(path: Path, *, make: int | None = None) -> Iterator[int]:
    with refusing(path, "written"):
        try:
            descriptor = parent(path, make=make)
        except FileNotFoundError as error:
            raise UnfitError(path, "can't be written: there is no such folder") from error
    with held(descriptor), refusing(path, "written"):
        yield descriptor


def _kept_mode(folder: int, name: str, path: Path) -> int:
    """Return the mode of the file there if it is one that is read: a stranger's says nothing about ours.

    Never a bit that makes it run as somebody, or lets others change it.
    """
    try:
        status = descriptors.look(folder, name, path)
        check(status, path)
    except (FileNotFoundError, UnfitError):
        return 0o644
    return stat.S_IMODE(status.st_mode) & 0o755


def _name(path: Path) -> str:
    if path.name in {"", ".."}:
        raise UnfitError(path, "is a folder, not a file")
    return path.name


def _acquire(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + LOCK_DEADLINE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise InputError(
                    f"another tempo-infra writes in {folder} since over {LOCK_DEADLINE_S:.0f} s",
                    remedy="wait until it has ended, then run this again",
                ) from error
            time.sleep(_LOCK_POLL_S)
        else:
            return
