"""What a host knows of its runs: for `resume`, `status` and `history`. Nothing is run again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import undo
from tempo_infra.on_host.identity import pinned
from tempo_infra.on_host.journal import Entry, confirmed, entries, last_good
from tempo_infra.on_host.lock import HostLock

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

LATE_S = 30.0  # beyond its grace, the timer of a run should have fired


@dataclass(frozen=True)
class RunsArgs:
    run: str = ""  # only this one; empty: all
    wait_s: float = 0.0  # for this run to be over


@dataclass(frozen=True)
class Runs:
    """The host's generations and the journal's entries."""

    current: Optional[str]
    confirmed: Optional[str]  # None while a change is not confirmed, or before the first
    last_good: Optional[str]
    open_run: str = ""  # a run that the host has not decided about
    phase: str = ""  # of the open, held or failed run
    decides_in_s: float = 0.0
    entries: "list[Entry]" = field(default_factory=list)
    database: str = ""  # the number of the database that lives here


def read_runs(layout: Layout, args: RunsArgs) -> Runs:
    """Read the journal; with `wait_s`, first wait until the run is over; settle it if its timer is gone."""
    end = time.monotonic() + args.wait_s
    armed = guard.read(layout)
    while args.run and armed is not None and armed.run == args.run and armed.phase in guard.OPEN:
        late = guard.silent_s(layout, args.run) > armed.grace_s + LATE_S
        if late and armed.boot_id == guard.boot_id(layout):
            HostLock(layout).acquire(args.run, "resume")
            undo.settle(layout, armed, "its timer was gone")
        elif time.monotonic() >= end:
            break
        time.sleep(0.5)
        armed = guard.read(layout)
    is_open = armed is not None and armed.phase in guard.OPEN
    left_s = armed.grace_s - guard.silent_s(layout, armed.run) if armed is not None and is_open else 0.0
    return Runs(
        current=layout.current.resolve().name if layout.current.is_symlink() else None,
        confirmed=confirmed(layout),
        last_good=last_good(layout),
        open_run=armed.run if armed is not None and is_open else "",
        phase=armed.phase if armed is not None else "",
        decides_in_s=max(0.0, left_s),
        database=pin.system_identifier if (pin := pinned(layout)) else "",
        entries=[e for e in entries(layout) if not args.run or e.run == args.run],
    )
