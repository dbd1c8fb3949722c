"""Backups, a line each, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tempo_infra.sanitize import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Backup as Wanted
    from tempo_infra.on_host.backups import Backup, Kept, Repository, Taken

UNITS = ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def backup_lines(kept: Kept, wanted: Wanted) -> Iterator[str]:
    """Yield what each repository has, the newest last."""
    for repository in kept.repositories:
        yield _head(repository, wanted)
        found = [one for one in kept.backups if one.repository == repository.number]
        for one in found:
            yield f"  {backup_line(one)}"
        if not found:
            yield "  no backup yet"


def _head(repository: Repository, wanted: Wanted) -> str:
    number = repository.number
    place = f"repository {number}"
    if 0 < number <= len(wanted.repositories):
        one = wanted.repositories[number - 1]
        place += f", {one.host} ({one.provider}, {one.country})"
    if repository.wrong:
        return f"{place}: {one_line(repository.wrong)}"
    log = f"{one_line(repository.first_segment)} to {one_line(repository.last_segment)}"
    return f"{place}: log {log}" if repository.first_segment else place


def backup_line(one: Backup) -> str:
    """Return one line: label, kind, when it ended, sizes, the log that it needs."""
    ended = datetime.fromtimestamp(one.ended_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    damage = "  DAMAGED PAGES" if one.damaged else ""
    sizes = f"database {size(one.database_bytes)}, kept {size(one.kept_bytes)}"
    log = f"log {one_line(one.first_segment)} to {one_line(one.last_segment)}"
    return f"{one_line(one.label):33}  {one_line(one.kind):4}  {ended}  {sizes}  {log}{damage}"


def backups_json(kept: Kept) -> str:
    """Return `{"format": 1, "repositories": […], "backups": […]}`."""
    return json.dumps({"format": 1, **asdict(kept)}, indent=1)


def taken_lines(taken: Taken) -> Iterator[str]:
    """Yield what came of a backup."""
    for one in taken.new:
        yield f"repository {one.repository}: {backup_line(one)}"
    for number in taken.missing:
        yield f"repository {number}: no new backup" + (f": {one_line(taken.why)}" if taken.why else "")


def size(count: int) -> str:
    """Return bytes as people read them: `1.4 GiB`."""
    for factor, unit in UNITS:
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} B"
