"""What the kernel does not take of our settings: asked before anything is changed, and read back after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tempo_infra.on_host.snapshot import live_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.on_host.layout import Layout

REMEDY = (
    "in a container that is sold as a host (LXC, OpenVZ) they are the machine's: order a virtual machine, or "
    "go on without them: accept: [kernel-settings]"
)


def beforehand(layout: Layout, wanted: "Mapping[str, str]") -> "Iterator[str]":
    """Say which values could not be set; nothing is written. Names are paths without the slash."""
    for name, value in wanted.items():
        live = live_value(layout, name)
        if live == value:
            continue
        if live is None:
            yield f"the kernel has no {_shown(name)}"
        elif why := _not_writable(layout, name):
            yield f"{_shown(name)} can't be set to {value}, it is {live}: {why}"


def afterwards(layout: Layout, wanted: "Mapping[str, str]") -> "list[str]":
    """Return what the kernel keeps otherwise than the generation says: refused, or bent to what it allows."""
    live = {name: live_value(layout, name) for name in wanted}
    return [
        f"{_shown(name)} is {live[name] or 'not there'}, not {value}"
        for name, value in sorted(wanted.items())
        if live[name] != value
    ]


def _not_writable(layout: Layout, name: str) -> str:
    try:
        os.close(os.open(layout.root / name, os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or "it can't be written"
    return ""


def _shown(name: str) -> str:
    """Return a name as people write it: vm.swappiness, or a path."""
    start = "proc/sys/"
    return name[len(start) :].replace("/", ".") if name.startswith(start) else f"/{name}"
