"""What components ask themselves on their hosts: each by a module of its own, which is sent along."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from tempo_infra.on_host.probes.reading import Reading, Unread, attempt


@dataclass(frozen=True, slots=True)
class Asked:
    """A component of this host that has a probe. Its module has `read(asked) -> dict`, of values for JSON."""

    name: str
    module: str
    address: str  # of its host, for others
    ports: "dict[str, int]"  # where it listens, by their names in its row


def read(asked: "tuple[Asked, ...]") -> "dict[str, Reading[dict[str, Any]]]":
    """Ask each component; why one can't say anything hides no other."""
    if not asked:
        raise Unread("no component of this host has a probe of its own", not_wanted=True)
    return {one.name: attempt(partial(_read, one)) for one in asked}


def _read(asked: Asked) -> "dict[str, Any]":
    return dict(import_module(asked.module).read(asked))
