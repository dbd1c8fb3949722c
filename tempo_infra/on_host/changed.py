"""Who made this host what it is, and what of the files that are wanted now it had before that.

Generations and service folders are named by their content: what equals an earlier one goes back to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import manifest
from tempo_infra.on_host.journal import entries
from tempo_infra.on_host.manifest import ManifestError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

MOST = 20  # earlier generations that are told, the newest


@dataclass(frozen=True)
class Change:
    """A run that was confirmed here."""

    generation: str
    time: str
    who: str
    run: str
    inventory: str = ""  # sha256 of its text; empty: an older program did not say, or it went back by hand
    how: str = ""  # why it was kept, in the journal's words


@dataclass(frozen=True)
class Changes:
    """What was confirmed on this host."""

    last: Optional[Change] = None  # that made the current generation
    earlier: "list[Change]" = field(default_factory=list)  # of other generations, the newest last
    older: "dict[str, str]" = field(default_factory=dict)  # logical path -> the last generation with it


def read_changes(layout: Layout, wanted: "dict[str, str]") -> Changes:
    """Read the journal, and compare wanted files (path -> sha256) with what generations here had."""
    if not layout.current.is_symlink():
        return Changes()
    current = layout.current.resolve().name
    kept: "dict[str, Change]" = {}
    for one in entries(layout):
        if one.result == "confirmed" and one.generation:
            kept.pop(one.generation, None)
            kept[one.generation] = Change(
                one.generation, one.time, one.who, one.run, one.inventory, one.detail
            )
    last = kept.pop(current, None)
    earlier = list(kept.values())[-MOST:]
    new = {(_logical(path), digest) for path, digest in wanted.items()} - _files(layout, current).items()
    older: "dict[str, str]" = {}
    for before in earlier:  # the newest that had it counts
        had = _files(layout, before.generation)
        older.update({path: before.generation for path, digest in new if had.get(path) == digest})
    return Changes(last, earlier, older)


def _files(layout: Layout, generation: str) -> "dict[str, str]":
    """Return the files of a generation by their logical paths; nothing for one that was taken away."""
    try:
        found = manifest.of_generation(layout, generation).files
        return {_logical(path): one.sha256 for path, one in found.items()}
    except (OSError, ManifestError):
        return {}


def _logical(path: str) -> str:
    """Return a path without the digest in a service's folder, which changes with the files beside it."""
    kind, _, rest = path.partition("/")
    folder, _, file = rest.partition("/")
    return f"{kind}/{folder.rpartition('-')[0]}/{file}" if kind == "services" and file else path
