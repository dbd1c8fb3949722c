"""Kernel values as they were before we first set them: for the day on which a generation leaves one out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tempo_infra.on_host.durable import replace_file
from tempo_infra.on_host.snapshot import INSTEAD, set_live

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.on_host.layout import Layout


def remember(layout: Layout, live: "dict[str, str]") -> None:
    """Keep values that were never set by us; the first one of each counts."""
    known = before(layout)
    both = {**live, **known}
    if both != known:
        replace_file(layout.kernel_before, json.dumps(both, sort_keys=True, indent=1).encode(), 0o600)


def give_back(layout: Layout, names: "Iterable[str]") -> None:
    """Set values that no owned file speaks of any more to what they were."""
    known = before(layout)
    both = {one for name in names for one in (name, INSTEAD.get(name, name))}
    set_live(layout, {name: known[name] for name in sorted(both) if name in known})


def before(layout: Layout) -> "dict[str, str]":
    """Return the values that were there before ours, by their path without the slash."""
    try:
        found: "dict[str, str]" = json.loads(layout.kernel_before.read_text())
    except FileNotFoundError:
        return {}
    return found
