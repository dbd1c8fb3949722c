"""The lab's own inventory: inventory/lab.yaml, with what this machine allows, in the state folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.paths import CHECKOUT, Home

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hosts import Lab

SOURCE = CHECKOUT / "inventory" / "lab.yaml"


def write(home: Home, lab: Lab) -> Path:
    """Write `.lab/inventory.yaml`: the example with this machine's nofile limit and ssh port."""
    text = _set(SOURCE.read_text(), r"nofile: \d+.*", f"nofile: {lab.nofile} # what this machine allows")
    ports = {host.ssh_port for host in lab.hosts}
    if ports != {22}:
        text = _set(text, r"  user: deploy\n", f"  user: deploy\n  port: {ports.pop()}\n")
    path = home.root / "inventory.yaml"
    path.write_text(text)
    return path


def _set(text: str, pattern: str, replacement: str) -> str:
    changed, times = re.subn(pattern, replacement, text)
    if times != 1:
        raise LabError(f"{SOURCE.name}: expected {pattern!r} once, found it {times} times")
    return changed
