"""Texts compared line by line, where that ends soon: one of them is a host's, or both."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from tempo_infra.sanitize import inert

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is beyond can take minutes: difflib looks again, for each line that both have, at all that are left.
MOST_PAIRS = 2_000_000  # of lines of the one with lines of the other: 1400 each, a third of a second at worst
MOST_CHARACTERS = 1 << 20  # of both


def unified(old: str, new: str, old_name: str, new_name: str) -> Iterator[str]:
    """Yield the lines of a unified diff; in their place, that the texts are too long for one."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if len(before) * len(after) > MOST_PAIRS or len(old) + len(new) > MOST_CHARACTERS:
        yield from (f"--- {old_name}", f"+++ {new_name}")
        yield f"({len(before)} and {len(after)} lines: too long to compare line by line)"
        return
    for line in difflib.unified_diff(before, after, old_name, new_name, n=2):
        yield inert(line.rstrip("\n"))
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"
