"""To the folder that holds a path: through no stranger's link, and through none where a branch begins."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from tempo_infra.trees.descriptors import FOLDER, held, step
from tempo_infra.trees.owners import PATH_ONLY, check_link

_MOST_LINKS: Final = 40  # of one path, as the kernel has it
_ON_THE_WAY: Final = PATH_ONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def parent(path: Path, *, make: int | None = None) -> int:
    """Open the folder that holds a path; `make` is the mode of folders that are made on the way.

    A relative path begins where the command runs, in what may be a branch: no link is followed on it. An
    absolute one may lead through links of this machine: each is one that no stranger can have put there.
    UnfitError.
    """
    if path.is_absolute():
        return _from_root(path.parent, make)
    descriptor, way = os.open(".", FOLDER), Path()
    for part in path.parts[:-1]:
        way /= part
        with held(descriptor):
            descriptor = step(descriptor, part, way, make=make)
    return descriptor


def _from_root(path: Path, make: int | None) -> int:
    """Open a folder by an absolute path. OSError as of the system's own walk."""
    todo, way, links = [*reversed(path.parts)], Path("/"), 0
    descriptor = os.open("/", _ON_THE_WAY)
    while todo:
        part = todo.pop()
        with held(descriptor):
            target = _target(descriptor, part, way / part, make)
            if target is None:
                descriptor = os.open(part, _ON_THE_WAY, dir_fd=descriptor)
                way = way.parent if part == ".." else way / part
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            todo += reversed(target.parts)
            descriptor = os.dup(descriptor)
    with held(descriptor):
        return os.open(".", FOLDER, dir_fd=descriptor)


def _target(folder: int, name: str, path: Path, make: int | None) -> Path | None:
    """Return where a link leads that is followed; None for what is none. It is made when it is missing."""
    if name == "/":
        return None
    if make is not None:
        with suppress(FileExistsError):
            os.mkdir(name, make, dir_fd=folder)
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        return None
    check_link(status, folder, path)
    return Path(os.readlink(name, dir_fd=folder))
