"""The host's own record of what was done to it: one fsynced JSON line an event."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host.durable import append_line

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout


@dataclass(frozen=True)
class Entry:
    run: str  # the run's id
    step: str
    result: str  # "started", "done", "failed" or "confirmed"
    generation: str = ""
    time: str = ""


def record(layout: Layout, entry: Entry) -> None:
    stamped = asdict(entry)
    stamped["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    append_line(layout.journal, json.dumps(stamped, sort_keys=True))


def entries(layout: Layout) -> "list[Entry]":
    """Read the journal; a last line cut by a power failure is not an entry."""
    if not layout.journal.exists():
        return []
    found = []
    for line in layout.journal.read_text(errors="replace").splitlines():
        try:
            found.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def confirmed(layout: Layout) -> Optional[str]:
    """Return the digest of the last confirmed generation, if nothing was begun after it."""
    last = None
    for entry in entries(layout):
        if entry.result == "confirmed":
            last = entry.generation
        elif entry.step == "switch":
            last = None
    return last
