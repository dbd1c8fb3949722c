"""Taking away what no host can need again: generations long past, and the files and secrets of those only."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import manifest, mounts, program
from tempo_infra.on_host.cluster_record import is_record
from tempo_infra.on_host.durable import hide
from tempo_infra.on_host.journal import history, last_good
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

KEEP = 5  # confirmed generations that one can go back to


def collect(layout: Layout) -> "list[str]":
    """Remove what is past and return its names. StepError when Docker can't say what containers read."""
    return sweep(layout, mounts.mounted())


def tidy(layout: Layout) -> None:
    """As `collect`; what can't be taken away now the next run takes."""
    with contextlib.suppress(StepError, OSError, ValueError, LookupError):
        collect(layout)


def sweep(layout: Layout, mounted: "set[str]") -> "list[str]":
    """Remove generations, service folders and leftovers of runs that nothing refers to any more."""
    kept = _kept_generations(layout)
    folders = {
        path.split("/")[1]
        for generation in kept
        for path in _files(layout.generations / generation)
        if path.startswith("services/")
    }
    read = mounted | _read_before_ours(layout)
    folders |= {source.rpartition("/services/")[2].split("/")[0] for source in read if "/services/" in source}
    armed = guard.read(layout)
    past = [path for path in _children(layout.generations) if path.name not in kept]
    past += [path for path in _children(layout.services) if path.name not in folders]
    past += _past_secrets(layout, kept, read)
    if armed is None:
        past += [layout.arriving] if layout.arriving.is_dir() else []  # that nobody came back for
        past += [path for path in _children(layout.runs) if not is_record(path.name)]
        past += program.others(layout)
    for path in past:
        shutil.rmtree(hide(path)) if path.is_dir() else path.unlink()
    return sorted(path.name for path in past)


def _past_secrets(layout: Layout, generations: "set[str]", read: "set[str]") -> "list[Path]":
    """Return the folders of secrets that nothing reads, and no generation that can be gone back to."""
    kept = {
        folder.name: manifest.read(folder)
        for folder in map(layout.generations.joinpath, sorted(generations))
        if (folder / manifest.NAME).is_file()
    }
    lists = [(path, one.live(path)) for made in kept.values() for path, one in made.material.items()]
    folders = {place.partition("/")[0] for places in lists for place in places}
    past = [path for path in _children(layout.secrets) if path.is_dir() and path.name not in folders]
    if not past:
        return []
    before = [name for name, made in kept.items() if made.format != manifest.FORMAT and name != ZERO]
    sources = read.union(*(mounts.of_generation(layout, one) for one in before))
    return [path for path in past if not mounts.holds(path, sources)]


def _kept_generations(layout: Layout) -> "set[str]":
    kept = {ZERO, *history(layout)[-KEEP:]}
    armed, good = guard.read(layout), last_good(layout)
    kept |= {armed.generation, armed.previous or ZERO} if armed is not None else set()
    kept |= {good} if good else set()
    return kept | ({layout.current.resolve().name} if layout.current.is_symlink() else set())


def _files(generation: Path) -> "list[str]":
    return list(manifest.read(generation).files) if (generation / manifest.NAME).is_file() else []


def _read_before_ours(layout: Layout) -> "set[str]":
    """Return what the services of generation 0 read, where a host had some: it was ejected once."""
    file = layout.zero_compose_file
    return mounts.named_by(file) if file.is_file() else set()


def _children(folder: Path) -> "list[Path]":
    return sorted(folder.iterdir()) if folder.is_dir() else []
