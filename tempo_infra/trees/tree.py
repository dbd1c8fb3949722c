"""A folder and all below it, by descriptor from its root."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self

from tempo_infra.trees import descriptors
from tempo_infra.trees.descriptors import held, look, step
from tempo_infra.trees.owners import check, check_names, check_way
from tempo_infra.trees.refusal import UnfitError, refusing
from tempo_infra.trees.way import parent

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_MOST_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is read of a tree."""

    file_bytes: int
    bytes: int
    entries: int
    depth: int = 12  # folders below the root
    seconds: float = 60.0


class Tree:
    """An open folder. What lies below is found without links, and refused when strangers may change it.

    Paths are relative to the root, with `/` between names. UnfitError for what is not taken.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._root = path, descriptor

    @classmethod
    def open(cls, path: Path, *, make: bool = False) -> Self:
        """Open a folder. FileNotFoundError where there is none and it is not to be made."""
        mode = 0o755 if make else None
        with refusing(path, "opened"), held(parent(path, make=mode)) as above:
            descriptor = step(above, path.name or ".", path, make=mode)
            try:
                check_way(descriptor, path)
            except BaseException:
                os.close(descriptor)
                raise
        return cls(path, descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._root)

    def names(self) -> dict[str, bool]:
        """Return what lies right in the folder, and whether each is a folder."""
        with refusing(self.path, "read"):
            with os.scandir(self._root) as entries:
                found = [entry.name for entry in islice(entries, _MOST_NAMES + 1)]
            if len(found) > _MOST_NAMES:
                raise UnfitError(self.path, f"holds more than {_MOST_NAMES} files and folders")
            kinds = {name: look(self._root, name, self.path / name).st_mode for name in sorted(found)}
        return {name: stat.S_ISDIR(kind) for name, kind in kinds.items()}

    def files(self, limits: Limits, at: str = "") -> dict[str, bytes]:
        """Return all files below a folder by their paths from there; none where it is missing."""
        path = self.path / at
        with refusing(path, "read"):
            try:
                start = self._folder(at)
            except FileNotFoundError:
                return {}
            try:
                with held(start):
                    found = _Reading(limits).read(start, path)
            except FileNotFoundError as error:
                raise UnfitError(path, "changes while it is read") from error
        return dict(sorted(found.items()))

    def refuse(self, at: str) -> None:
        """UnfitError when what is there already stands in the way of a file."""
        *above, name = at.split("/")
        path = self.path / at
        with (
            refusing(path, "written"),
            suppress(FileNotFoundError),
            held(self._folder("/".join(above))) as folder,
        ):
            if stat.S_ISDIR(look(folder, name, path).st_mode):
                raise UnfitError(path, "is a folder, not a file")

    def write(self, at: str, data: bytes, mode: int) -> None:
        """Replace a file, and make the folders to it. It is whole, but not on disk yet."""
        above, _, name = at.rpartition("/")
        path = self.path / at
        with refusing(path, "written"), held(self._folder(above, make=True)) as folder:
            descriptors.replace(folder, name, path, data, mode, durable=False)

    def remove(self, at: str) -> None:
        """Remove a file, and the folders that are empty then."""
        above, _, name = at.rpartition("/")
        with refusing(self.path / at, "removed"):
            with held(self._folder(above)) as folder:
                os.unlink(name, dir_fd=folder)
            while above:
                above, _, name = above.rpartition("/")
                with held(self._folder(above)) as folder:
                    try:
                        os.rmdir(name, dir_fd=folder)
                    except OSError:
                        return

    def _folder(self, at: str, *, make: bool = False) -> int:
        descriptor, path = os.dup(self._root), self.path
        for part in at.split("/") if at else ():
            path /= part
            with held(descriptor):
                descriptor = step(descriptor, part, path, make=0o755 if make else None)
            try:
                check(os.fstat(descriptor), path, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
        return descriptor


class _Reading:
    """One walk over a tree: what is left of its limits is counted down."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._until = limits, time.monotonic() + limits.seconds
        self._entries, self._bytes = limits.entries, limits.bytes
        self._found: dict[str, bytes] = {}

    def read(self, folder: int, path: Path, at: str = "") -> dict[str, bytes]:
        if at.count("/") > self._limits.depth:
            raise UnfitError(path, f"lies deeper than {self._limits.depth} folders")
        with os.scandir(folder) as entries:
            for entry in entries:
                self._count(path)
                self._one(folder, entry.name, path / entry.name, at + entry.name)
        return self._found

    def _one(self, folder: int, name: str, path: Path, at: str) -> None:
        if stat.S_ISDIR(look(folder, name, path).st_mode):
            with held(step(folder, name, path)) as below:
                check(os.fstat(below), path, below)
                self.read(below, path, f"{at}/")
            return
        with held(descriptors.opened(folder, name, path)) as file:
            status = os.fstat(file)
            check(status, path, file)
            check_names(status, folder, path)
            self._found[at] = descriptors.content(file, min(self._limits.file_bytes, self._bytes), path)
            self._bytes -= len(self._found[at])

    def _count(self, path: Path) -> None:
        self._entries -= 1
        if self._entries < 0:
            raise UnfitError(path, f"holds more than {self._limits.entries} files and folders")
        if time.monotonic() > self._until:
            raise UnfitError(path, f"takes longer than {self._limits.seconds:.0f} s to read")
