"""What a run that was killed, or whose host lost power, left half written; the next one takes it away."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
from typing import TYPE_CHECKING

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import manifest
from tempo_infra.on_host.manifest import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

TEMPORARY = re.compile(r"^\.(.+)\.(?:[0-9a-f]{12}|new)$")  # as on_host/durable.py and snapshot.py name them
MOST_CHILDREN = 10_000


def find(layout: Layout) -> "list[Path]":
    """Return the files and folders that no run needs any more. Only names that we give are ours."""
    found = [path for folder in _own_folders(layout) for path in _children(folder) if path.name[0] == "."]
    for owned in _owned(layout):
        target = layout.installed(owned)
        found += [path for path in _temporaries(target.parent) if _name(path) == target.name]
    units = layout.root / "etc/systemd/system"
    for folder in (units, units / "multi-user.target.wants"):
        found += [path for path in _temporaries(folder) if _name(path).startswith("tempo-infra-")]
    return sorted({*found, *_of_dead_runs(layout)})


def sweep(layout: Layout) -> int:
    """Take them away; the caller holds the lock. Returns how many there were."""
    found = find(layout)
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


def _own_folders(layout: Layout) -> "list[Path]":
    inner = [*_children(layout.secrets), *_children(layout.runs)]
    return [
        layout.state,
        layout.generations,
        layout.zero,
        layout.services,
        layout.secrets,
        layout.runs,
        *inner,
    ]


def _owned(layout: Layout) -> "set[str]":
    """Owned files of every generation that is here: a cut run may have written one of any of them."""
    found: "set[str]" = set()
    for generation in _children(layout.generations):
        if (generation / manifest.NAME).is_file() and not TEMPORARY.match(generation.name):
            with contextlib.suppress(ManifestError):  # a later version's: that one knows them
                found |= manifest.read(generation).owned.keys()
    return found


def _of_dead_runs(layout: Layout) -> "Iterable[Path]":
    """Return what guarded a change before it was recorded, or after it was decided."""
    armed = guard.read(layout)
    alive = guard.heartbeat(layout, armed.run) if armed is not None else None
    beats = [path for path in (layout.root / "run").glob("tempo-infra-*") if path != alive and path.is_file()]
    return [*beats, *(guard.leavings(layout) if armed is None else [])]


def _temporaries(folder: Path) -> "list[Path]":
    return [path for path in _children(folder) if TEMPORARY.match(path.name)]


def _name(path: Path) -> str:
    found = TEMPORARY.match(path.name)
    return found[1] if found else ""


def _children(folder: Path) -> "list[Path]":
    """Return what lies in a folder; some of those here are somebody else's, who may have filled them."""
    return sorted(itertools.islice(folder.iterdir(), MOST_CHILDREN)) if folder.is_dir() else []
