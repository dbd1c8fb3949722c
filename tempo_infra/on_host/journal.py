"""The host's own record of what was done to it: one fsynced JSON line an event.

It does not grow without end: from a size on, what nobody asks for any more is left out.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import actor
from tempo_infra.on_host.durable import append_line, replace_file
from tempo_infra.on_host.layout import ZERO

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change


RUN = re.compile(r"[A-Za-z0-9._-]{0,64}")


@dataclass(frozen=True)
class Entry:
    """A line of the journal. ValueError for a run's id that is none: it is shown in commands to paste."""

    run: str  # the run's id
    step: str
    result: str  # "started", "done", "failed", "confirmed", "rolled back" or "held"
    generation: str = ""
    time: str = ""
    detail: str = ""
    who: str = ""  # as the operator's program says
    login: str = ""  # as this host knows by itself
    seconds: float = 0.0  # how long it took, where that is worth knowing later
    inventory: str = ""  # sha256 of the text that a confirmed generation was made from

    def __post_init__(self) -> None:
        must_be_run(self.run)


def must_be_run(text: str) -> None:
    """Raise ValueError for what can't be a run's id; nothing is no run, and may be."""
    if not RUN.fullmatch(text):
        raise ValueError("no run's id")


FIELDS = {one.name for one in fields(Entry)}
RESTART = "restart"  # an entry of one service that ran, was recreated, and serves again after `seconds`
NOTE = "note"  # an entry that says, before anything is done, what a run is about, and whose it is
MOST_WORDS, MOST_WHO = 1000, 100  # characters that are kept of it
REMEMBERED = 5  # times of a service
LONGEST_S = 86400.0
DECIDED = ("confirmed", "rolled back", "held")
LONGEST_DETAIL = 2000  # characters
LARGEST_BYTES = 2 * 1024 * 1024  # of the file; then it is made smaller
NEWEST_BYTES = 512 * 1024  # that are kept whole
DECISIONS = 400  # and words of what a run is about, that are kept of before


def note(layout: Layout, args: change.Note) -> "dict[str, str]":
    """Write down what a run is about; a full disk is said by the step that needs it."""
    with contextlib.suppress(OSError):
        begun = Entry(args.run, NOTE, "begun", detail=args.what[:MOST_WORDS], who=args.who[:MOST_WHO])
        record(layout, replace(begun, login=actor.login()))
    return {}


def record(layout: Layout, entry: Entry) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    stamped = replace(entry, time=now, detail=entry.detail[:LONGEST_DETAIL])
    with contextlib.suppress(OSError):  # a full disk: it stays as it is
        _compact(layout)
    append_line(layout.journal, _line(stamped))
    if entry.result in DECIDED or (entry.step, entry.result) == ("rollback", "failed"):
        by = f" by {entry.who} ({entry.login})" if entry.who else ""
        actor.tell_syslog(
            layout.root, f"run {entry.run}{by}: {entry.result} {entry.generation[:12]} {entry.detail}"
        )


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), sort_keys=True)


def _compact(layout: Layout) -> None:
    """Leave out what is old, but decisions and the last times of restarts, once the file is large."""
    if not layout.journal.exists() or layout.journal.stat().st_size <= LARGEST_BYTES:
        return
    found, left = entries(layout), NEWEST_BYTES
    cut = len(found)
    while cut and (left := left - len(_line(found[cut - 1]))) >= 0:
        cut -= 1
    decided = [one for one in found[:cut] if one.result in DECIDED or one.step in ("rollback", NOTE)]
    timed: "dict[str, list[Entry]]" = {}
    for one in found[:cut]:
        if one.step == RESTART:
            timed.setdefault(one.detail, []).append(one)
    kept = {
        id(one)
        for some in (decided[-DECISIONS:], *(times[-REMEMBERED:] for times in timed.values()))
        for one in some
    }
    lines = [_line(one) for one in found if id(one) in kept] + [_line(one) for one in found[cut:]]
    replace_file(layout.journal, "".join(f"{line}\n" for line in lines).encode(), 0o600)


def entries(layout: Layout) -> "list[Entry]":
    """Read the journal; a last line cut by a power failure is not an entry."""
    if not layout.journal.exists():
        return []
    return _parsed(layout.journal.read_text(errors="replace"))


@lru_cache(maxsize=1)  # several ask between two lines
def _parsed(text: str) -> "list[Entry]":
    found = []
    for line in text.splitlines():
        try:
            body = json.loads(line)
            entry = Entry(**{name: body[name] for name in body.keys() & FIELDS})
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if _is_whole(entry):
            found.append(entry)
    return found


def _is_whole(entry: Entry) -> bool:
    words = {**asdict(entry), "seconds": ""}.values()
    return all(isinstance(one, str) for one in words) and isinstance(entry.seconds, (int, float))


def restarts(layout: Layout) -> "dict[str, list[float]]":
    """Return how long services were away when they were recreated, the last times of each."""
    found: "dict[str, list[float]]" = {}
    for entry in entries(layout):
        if entry.step == RESTART and entry.detail and 0 <= entry.seconds < LONGEST_S:
            found.setdefault(entry.detail, []).append(round(entry.seconds, 1))
    return {service: times[-REMEMBERED:] for service, times in found.items()}


def in_force(layout: Layout) -> Optional[str]:
    """Return the digest of the generation that is current, whoever made it so; None where there is none."""
    return layout.current.resolve().name if layout.current.is_symlink() else None


def confirmed(layout: Layout) -> Optional[str]:
    """Return the digest of the last confirmed generation, if nothing was begun after it.

    After a rollback that is the generation that it went back to.
    """
    last: Optional[str] = None
    for entry in entries(layout):
        if entry.result in ("confirmed", "rolled back"):
            last = entry.generation or None
        elif entry.step in ("switch", "rollback", "hold"):
            last = None
    return last


def in_journal(generation: str) -> str:
    """Return a generation as the journal names it: the one before the first provision has no name there."""
    return "" if generation == ZERO else generation


def name_of(generation: Optional[str]) -> str:
    """Return what people read for a generation."""
    if not generation or generation == ZERO:
        return "what was there before the first provision (generation 0)"
    return generation[:12]


def was_kept(layout: Layout, run: str) -> bool:
    """Whether a run's change was confirmed, and putting it back was not begun after that."""
    words = [entry for entry in entries(layout) if entry.run == run and entry.step in ("confirm", "rollback")]
    return bool(words) and words[-1].result == "confirmed"


def history(layout: Layout) -> "list[str]":
    """Return the confirmed generations, the newest last, each once."""
    found: "list[str]" = []
    for entry in entries(layout):
        if entry.result == "confirmed" and entry.generation:
            found = [one for one in found if one != entry.generation] + [entry.generation]
    return found


def last_good(layout: Layout) -> Optional[str]:
    """Return the generation that a failed change goes back to: the last that was kept or gone back to."""
    good = [e.generation for e in entries(layout) if e.result in ("confirmed", "rolled back")]
    return (good[-1] or None) if good else None
