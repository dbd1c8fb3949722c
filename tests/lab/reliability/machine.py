"""A host as cases see it: a lab host, entered by its engine, or the emulated VM, entered over ssh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from lab.hosts import Host
from tests.lab import invariants
from tests.lab.reliability.vm_host import VmHost

Machine: TypeAlias = Host | VmHost


def entry(host: Machine, argv: Sequence[str]) -> list[str]:
    """Return the words that run a command as root on the host, with its input and output here."""
    return host.words(argv) if isinstance(host, VmHost) else ["docker", "exec", "-i", host.container, *argv]


def look(host: Machine, rows: int | None) -> invariants.Look:
    return host.look(rows) if isinstance(host, VmHost) else invariants.look(host.container, rows)
