"""What the cluster was after a run: its members, each with its generation, readable from any one of them.

A run writes it on every host that it reached, once all of its changes are confirmed. It is told by an
operator's program and says what that knew; what a host itself went through stands in its own journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Optional

from tempo_infra.on_host import fit, untrusted
from tempo_infra.on_host.durable import make_folder, remove_file, replace_file
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from typing import Iterator

    from tempo_infra.on_host.layout import Layout

SUFFIX = ".json"
KEPT = 50  # runs
MOST_MEMBERS = 1000
MOST_GONE = 50  # that may come back
MOST_ROLES = 16  # of a member
MOST_BYTES = 512 * 1024  # of one record: 1000 members and those that are gone have less
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")  # of a host, a role, a run
DIGEST = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
WORDS = re.compile(r"[ -~]{0,200}")
WORD = re.compile(r"[!-~]{0,400}")


@dataclass(frozen=True)
class Member:
    """A host of the cluster. ValueError for what none can be."""

    name: str
    internal: str  # IP literal
    roles: "tuple[str, ...]"
    generation: str  # that it is on; empty: the run did not ask it
    before: str  # that was confirmed before this run; empty: none, or the run did not ask it
    ssh: str  # user@address:port, to be shown

    def __post_init__(self) -> None:
        _must(self.name, NAME)
        fit.address(self.internal)
        if len(self.roles) > MOST_ROLES:
            raise ValueError("roles that no host has")
        for role in self.roles:
            _must(role, NAME)
        for generation in (self.generation, self.before):
            if generation not in ("", ZERO):
                _must(generation, DIGEST)
        _must(self.ssh, WORD)

    @property
    def changed(self) -> bool:
        """Whether this run brought it to another generation."""
        return bool(self.generation) and self.generation != self.before


@dataclass(frozen=True)
class ClusterRecord:
    """The cluster as one run left it. ValueError for what none can be."""

    run: str
    who: str  # as the operator's program says
    at: str  # by the operator's clock: "2026-11-30T03:22:16Z"
    cluster: str
    inventory: str  # sha256 of its text; empty: not known
    members: "tuple[Member, ...]"  # every host of the inventory
    alike: "tuple[tuple[str, str], ...]" = ()  # what members must have in common, in words: (what, value)
    gone: "tuple[Member, ...]" = ()  # taken out while nobody reached them: they may come back

    def __post_init__(self) -> None:
        _must(self.run, NAME)
        _must(self.at, TIME)
        for words in (self.who, self.cluster, *(word for pair in self.alike for word in pair)):
            _must(words, WORDS)
        if self.inventory:
            _must(self.inventory, DIGEST)
        names = {one.name for one in self.members}
        if len(names) < len(self.members) or len(names) > MOST_MEMBERS or len(self.gone) > MOST_GONE:
            raise ValueError("members that no cluster has")

    @classmethod
    def of(cls, body: "dict[str, Any]") -> ClusterRecord:
        """Make one of JSON values; what a later version wrote beside is left out.

        ValueError, TypeError, KeyError.
        """
        members, gone = (
            tuple(Member(**{**_known(Member, one), "roles": tuple(one["roles"])}) for one in some)
            for some in (body["members"], body.get("gone", ()))
        )
        alike = tuple((what, value) for what, value in body.get("alike", ()))
        return cls(**{**_known(cls, body), "members": members, "gone": gone, "alike": alike})

    def member(self, name: str) -> Optional[Member]:
        return next((one for one in self.members if one.name == name), None)

    def says_no_more_than(self, other: Optional[ClusterRecord]) -> bool:
        """Whether the other one describes the same cluster, or one of which it knows more."""
        if other is None or len(other.members) != len(self.members):
            return False
        beside = replace(other, run=self.run, who=self.who, at=self.at, members=self.members)
        return beside == self and all(_is_same(one, other.member(one.name)) for one in self.members)


def _known(kind: "type[Member | ClusterRecord]", body: "dict[str, Any]") -> "dict[str, Any]":
    return {one.name: body[one.name] for one in fields(kind) if one.name in body}


def _is_same(one: Member, other: Optional[Member]) -> bool:
    if other is None or one.generation not in ("", other.generation):
        return False
    return replace(other, generation=one.generation, before=one.before) == one


def _must(text: object, pattern: "re.Pattern[str]") -> None:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"no {pattern.pattern}")


def keep(layout: Layout, record: ClusterRecord) -> "dict[str, str]":
    """Write a record, as the newest one, and take the oldest away. Safe to repeat. StepError, OSError."""
    content = json.dumps(asdict(record), sort_keys=True, indent=1).encode() + b"\n"
    if len(content) > MOST_BYTES:
        raise StepError(f"a record of {len(content)} bytes is refused")
    found = _files(layout)
    make_folder(layout.runs, 0o700)
    path = layout.runs / f"{record.run}{SUFFIX}"
    replace_file(path, content, 0o600)
    written = path.stat().st_mtime_ns
    if found and written <= found[-1][0]:  # the clock was put back
        os.utime(path, ns=(found[-1][0] + 1, found[-1][0] + 1))
    for _, name in _files(layout)[:-KEPT]:
        remove_file(layout.runs / name)
    return {}


def latest(layout: Layout) -> Optional[ClusterRecord]:
    """Return the newest record that can be read; None where there is none."""
    return next(_newest_first(layout), None)


def records(layout: Layout, most_bytes: int) -> "list[ClusterRecord]":
    """Return the records, the newest last; of more than so many bytes the oldest are left out."""
    found: "list[ClusterRecord]" = []
    for one in _newest_first(layout):
        most_bytes -= len(json.dumps(asdict(one)))
        if most_bytes < 0:
            break
        found.insert(0, one)
    return found


def is_record(name: str) -> bool:
    """Whether a name in the folder of runs is one of a record; all else there belongs to a run under way."""
    return name.endswith(SUFFIX) and NAME.fullmatch(name) is not None


def _newest_first(layout: Layout) -> "Iterator[ClusterRecord]":
    """Yield the records; what is damaged is none, and the next run writes another one."""
    for _, name in reversed(_files(layout)):
        with contextlib.suppress(StepError, OSError, ValueError, TypeError, LookupError, RecursionError):
            yield _read(layout, name)


def _read(layout: Layout, name: str) -> ClusterRecord:
    content = untrusted.read(layout.runs, name, MOST_BYTES + 1) or b""
    if len(content) > MOST_BYTES:
        raise ValueError("too long")
    found = ClusterRecord.of(json.loads(content))
    if found.run != name[: -len(SUFFIX)]:
        raise ValueError("of another run")
    return found


def _files(layout: Layout) -> "list[tuple[int, str]]":
    """Return when each record was written, in nanoseconds, and its name; the newest last."""
    try:
        with os.scandir(layout.runs) as found:
            return sorted(
                (one.stat(follow_symlinks=False).st_mtime_ns, one.name)
                for one in found
                if is_record(one.name)
            )
    except FileNotFoundError:
        return []
