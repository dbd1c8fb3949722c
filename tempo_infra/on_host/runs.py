"""What a host knows of its runs: for `resume`, `status` and `history`. Nothing is run again."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import condition, manifest, snapshot, undo
from tempo_infra.on_host.cluster_name import cluster_here
from tempo_infra.on_host.cluster_record import ClusterRecord, records
from tempo_infra.on_host.condition import Container  # noqa: TC001 - readers of Runs need the type
from tempo_infra.on_host.identity import pinned
from tempo_infra.on_host.journal import Entry, confirmed, entries, in_force, last_good, must_be_run
from tempo_infra.on_host.lock import HostLock, holder
from tempo_infra.on_host.manifest import ManifestError
from tempo_infra.on_host.scope import end_scope
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import reading

LATE_S = 30.0  # beyond its grace, the timer of a run should have fired
LOOK_EVERY_S = 0.5
ENGINE_S = 20.0
MOST_BYTES = 2 * 1024 * 1024  # of entries as JSON; an answer may have 4 MiB
RECORDS_BYTES = 1024 * 1024  # of records of the cluster, likewise


@dataclass(frozen=True)
class Runs:
    """The host's generations and the journal's entries."""

    current: Optional[str]
    confirmed: Optional[str]  # None while a change is not confirmed, or before the first
    last_good: Optional[str]
    open_run: str = ""  # a run that the host has not decided about
    at_work: str = ""  # the run that has the lock
    phase: str = ""  # of the open, held or failed run
    decides_in_s: float = 0.0
    entries: "list[Entry]" = field(default_factory=list)
    database: str = ""  # the number of the database that lives here
    cluster: str = ""  # that this host belongs to; empty: to none, or an older program made its generation
    zero: bool = False  # what was there before the first provision is kept
    services: "list[str]" = field(default_factory=list)  # that the current generation keeps running
    containers: "list[Container]" = field(default_factory=list)  # where they were asked for
    unasked: str = ""  # why the engine did not say which containers there are
    records: "list[ClusterRecord]" = field(default_factory=list)  # of the cluster, the newest last

    def __post_init__(self) -> None:
        must_be_run(self.open_run)

    @property
    def record(self) -> Optional[ClusterRecord]:
        """The cluster as the last run left it."""
        return self.records[-1] if self.records else None


def read_runs(layout: Layout, args: reading.Runs) -> Runs:
    """Read the journal; with `wait_s`, first wait until the run is over; settle it if its timer is gone."""
    end = time.monotonic() + args.wait_s
    while args.run and _goes_on(layout, args.run) and time.monotonic() < end:
        time.sleep(LOOK_EVERY_S)
    armed = guard.read(layout)
    is_open = armed is not None and armed.phase in guard.OPEN
    kept, found, unasked = _services(layout, args.host)
    left_s = armed.grace_s - guard.silent_s(layout, armed.run) if armed is not None and is_open else 0.0
    return Runs(
        current=in_force(layout),
        confirmed=confirmed(layout),
        last_good=last_good(layout),
        open_run=armed.run if armed is not None and is_open else "",
        at_work=holder(layout),
        phase=armed.phase if armed is not None else "",
        decides_in_s=max(0.0, left_s),
        cluster=cluster_here(layout),
        zero=snapshot.is_kept(layout.zero),
        services=kept,
        containers=found,
        unasked=unasked,
        database=pin.system_identifier if (pin := pinned(layout)) else "",
        entries=_newest([e for e in entries(layout) if not args.run or e.run == args.run]),
        records=records(layout, RECORDS_BYTES),
    )


def _services(layout: Layout, host: str) -> "tuple[list[str], list[Container], str]":
    """Return what should run, what there is, and why the engine did not say that."""
    if not host:
        return [], [], ""
    try:
        found = manifest.current(layout)
    except (OSError, ManifestError) as error:
        return [], [], str(error)
    try:
        return found.kept, condition.ours(found.questions(host), deadline_s=ENGINE_S), ""
    except StepError as error:
        return found.kept, [], str(error)


def _newest(found: "list[Entry]") -> "list[Entry]":
    """Leave out the oldest where all together are more than an answer may hold: years of runs."""
    left, kept = MOST_BYTES, 0
    for entry in reversed(found):
        left -= len(json.dumps(asdict(entry)))
        if left < 0:
            break
        kept += 1
    return found[len(found) - kept :]


def _goes_on(layout: Layout, run: str) -> bool:
    """Whether a run is not over here: to be decided, at work before that, or not yet done with it after."""
    armed = guard.open_run(layout, run)
    if armed is None:
        return holder(layout) == run
    late = guard.silent_s(layout, run) > armed.grace_s + LATE_S
    if late and armed.boot_id == guard.boot_id(layout):
        with contextlib.suppress(StepError, OSError):  # someone is at it, or the journal has how it failed
            _settle(layout, run)
    return True


def _settle(layout: Layout, run: str) -> None:
    """Decide in the place of a timer that is gone; under the lock it may turn out that somebody has."""
    lock = HostLock(layout)
    lock.acquire(run, "resume")
    try:
        armed = guard.open_run(layout, run)
        if armed is not None:
            end_scope(run)
            undo.settle(layout, armed, "its timer was gone")
    finally:
        lock.release()
