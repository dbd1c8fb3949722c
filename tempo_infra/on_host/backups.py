"""Backups of the database: pgBackRest in its container, judged by what it has kept and not by its exit code.

It ends well with a damaged page in what it has copied, and with no repository at all where it is only asked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from tempo_infra.on_host import manifest, psql, remedies
from tempo_infra.on_host.inside import inside
from tempo_infra.on_host.shell import StepError, must, run
from tempo_infra.on_host.wire import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.shell import Output
    from tempo_infra.on_host.steps import change, upkeep

PROGRAM = ("sh", "/etc/tempo-infra/pgbackrest.sh")
CONF = "pgbackrest.conf"
UNIT = "tempo-infra-backup@{kind}.service"
ASK_S, SETUP_S, CHECK_S = 60.0, 120.0, 120.0
POLL_S, SAY_EVERY_S = 1.0, 15.0
RUNNING = ("activating", "deactivating", "active", "reloading")
NOT_ASKED = "backups are not set up on this host"
LONGEST = 200


@dataclass(frozen=True)
class Backup:
    """One backup in one repository. Sizes in bytes, times in seconds of the epoch."""

    repository: int
    label: str  # "20261130-023000F", "20261130-023000F_20261201-023000I"
    kind: str  # full, diff or incr
    started_s: int
    ended_s: int
    database_bytes: int
    kept_bytes: int  # what it added to the repository
    first_segment: str  # of the log that it needs
    last_segment: str
    damaged: bool  # pages whose checksum is wrong were found when it was taken


@dataclass(frozen=True)
class Repository:
    """What a repository has; `wrong`: why it can't be used, in its own words."""

    number: int
    wrong: str
    first_segment: str = ""
    last_segment: str = ""


@dataclass(frozen=True)
class Kept:
    """What all repositories have."""

    repositories: "list[Repository]" = field(default_factory=list)
    backups: "list[Backup]" = field(default_factory=list)  # the oldest first


@dataclass(frozen=True)
class Taken:
    """What came of a backup."""

    new: "list[Backup]"
    missing: "list[int]"  # repositories that have no new one
    why: str = ""  # of those
    say: str = ""


def is_set_up(layout: Layout) -> bool:
    """Whether the generation that is current has backups."""
    return bool(_conf(manifest.current(layout)))


def _conf(one: manifest.Manifest) -> str:
    return next((entry.sha256 for path, entry in one.files.items() if path.endswith(f"/{CONF}")), "")


def prepare(args: change.PrepareBackups, say: "Callable[[str], None]") -> "dict[str, list[int]]":
    """Make each repository ready for this database, and see a segment of its log arrive.

    Safe to do again. A repository that is another database's is refused by pgBackRest, and stays as it is.
    """
    container = psql.database_container()
    for words, deadline_s in ((("stanza-create",), SETUP_S), (("check",), CHECK_S)):
        output = pgbackrest(container, *words, deadline_s=deadline_s)
        if output.returncode:
            raise failed(output, f"backups can't be kept ({words[0]})")
    say(f"{len(args.repositories)} of {len(args.repositories)} repositories have taken a segment of the log")
    return {"repositories": args.repositories}


def pgbackrest(container: str, *words: str, deadline_s: float = ASK_S) -> Output:
    """Run pgBackRest in the database's container."""
    return inside(container, [*PROGRAM, *words], deadline_s=deadline_s)


def failed(output: Output, what: str) -> StepError:
    """Return the error of a run of pgBackRest, in its words."""
    said = told(output.err or output.out) or f"exit code {output.returncode}"
    return StepError(f"{what}: {said}", remedy=remedies.remedy(remedies.BACKUP, output.err or output.out))


def told(text: str) -> str:
    """Return the errors that pgBackRest has said, without their times, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.partition("ERROR: ")[2] for line in lines if "ERROR: " in line]
    return " | ".join(errors[:2] or lines[-2:])[: 2 * LONGEST]


def kept(container: str) -> Kept:
    """Return what the repositories have. StepError when pgBackRest says nothing that makes sense."""
    output = pgbackrest(container, "--output=json", "info")
    if output.returncode:
        raise failed(output, "the repositories can't be read")
    try:
        return of_json(read_json(output.out))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StepError("pgBackRest says something that makes no sense of its repositories") from error


def of_json(stanzas: Any) -> Kept:  # noqa: ANN401 - a JSON value
    """Read what `info --output=json` says. ValueError, LookupError, TypeError for anything unexpected."""
    backups: "list[Backup]" = []
    repositories: "list[Repository]" = []
    for stanza in stanzas:
        segments = {int(one["database"]["repo-key"]): one for one in stanza.get("archive") or ()}
        for one in stanza.get("repo") or ():
            number, status = int(one["key"]), one["status"]
            wrong = "" if status["code"] == 0 else str(status["message"])[:LONGEST]
            log = segments.get(number, {})
            repositories.append(
                Repository(number, wrong, str(log.get("min") or ""), str(log.get("max") or ""))
            )
        backups += [_backup(one) for one in stanza.get("backup") or ()]
    return Kept(repositories, sorted(backups, key=lambda one: (one.ended_s, one.repository)))


def _backup(one: "dict[str, Any]") -> Backup:
    kept_in = one["info"]["repository"]
    return Backup(
        repository=int(one["database"]["repo-key"]),
        label=str(one["label"])[:LONGEST],
        kind=str(one["type"])[:LONGEST],
        started_s=int(one["timestamp"]["start"]),
        ended_s=int(one["timestamp"]["stop"]),
        database_bytes=int(one["info"]["size"]),
        kept_bytes=int(kept_in.get("delta") or 0),
        first_segment=str(one["archive"]["start"])[:LONGEST],
        last_segment=str(one["archive"]["stop"])[:LONGEST],
        damaged=bool(one.get("error")),
    )


def look(layout: Layout) -> Kept:
    """Return what the repositories have."""
    if not is_set_up(layout):
        raise StepError(NOT_ASKED, remedy="write `backup` into the inventory, then tempo-infra provision")
    return kept(psql.database_container())


def take(layout: Layout, args: upkeep.TakeBackup, say: "Callable[[str], None]") -> Taken:
    """Take a backup now, by the unit that the timer starts, so that it goes on without us; what came of it.

    One that is under way is waited for instead.
    """
    before = {(one.repository, one.label) for one in look(layout).backups}
    unit, began = UNIT.format(kind=args.kind), time.monotonic()
    since_s = time.time()
    must(["systemctl", "start", "--no-block", unit], deadline_s=30)
    _wait(unit, args.deadline_s, began, say)
    after = look(layout)
    new = [one for one in after.backups if (one.repository, one.label) not in before]
    numbers = [one.number for one in after.repositories]
    missing = sorted(set(numbers) - {one.repository for one in new})
    said = ", ".join(f"{one.label} in repository {one.repository}" for one in new)
    return Taken(new, missing, _why(unit, since_s) if missing else "", said)


def _wait(unit: str, deadline_s: float, began: float, say: "Callable[[str], None]") -> None:
    said = began
    while _state(unit) in RUNNING:
        now = time.monotonic()
        if now - began > deadline_s:
            raise StepError(
                f"the backup is not over in {deadline_s:g} s", remedy=f"see `systemctl status {unit}`"
            )
        if now - said > SAY_EVERY_S:
            said = now
            say(f"at work for {now - began:.0f} s")
        time.sleep(POLL_S)


def _state(unit: str) -> str:
    return run(["systemctl", "show", "-p", "ActiveState", "--value", unit], deadline_s=30).out.strip()


def _why(unit: str, since_s: float) -> str:
    """Return what a unit has said that did not bring a backup."""
    words = ["journalctl", "-u", unit, "-o", "cat", "--no-pager", "-n", "200", f"--since=@{since_s - 1:.0f}"]
    output = run(words, deadline_s=30)
    return told(output.out)


def newest(found: Kept, repository: int) -> Optional[Backup]:
    """Return the newest backup of a repository that was taken without damage."""
    good = [one for one in found.backups if one.repository == repository and not one.damaged]
    return good[-1] if good else None
