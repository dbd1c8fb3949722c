"""What one workflow costs: each number with where it was measured. `--measured` puts in a cluster's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tempo_infra import trees
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_BYTES = 1024 * 1024  # of a file of measurements
LAB = "lab"
PLACES = "lab: 2 vCPU, Temporal 1.31.2, PostgreSQL 15, pgx, 64 shards, 50 to 200 clients, closed loop"
DEV = "counted: dev server 1.32.0, 100 workflows of two activities, Python worker"
PAPER = "judgement"


@dataclass(frozen=True, slots=True)
class Coefficient:
    name: str
    value: float
    unit: str
    source: str


DEFAULTS: tuple[Coefficient, ...] = (
    Coefficient("transitions_base", 1, "state transitions a workflow", LAB),
    Coefficient(
        "transitions_per_activity", 5, "state transitions an activity (6 with one, 11 with two)", LAB
    ),
    Coefficient("requests_base", 13, "persistence requests a workflow", LAB),
    Coefficient(
        "requests_per_activity", 6, "persistence requests an activity (19 with one, 25 with two)", LAB
    ),
    Coefficient("calls_base", 4.7, "calls of the frontend a workflow: start, result, a workflow task", DEV),
    Coefficient("calls_per_activity", 4, "calls an activity: its poll and answer, a workflow task's", DEV),
    Coefficient("commits_per_transition", 4.1, "SQL transactions a transition (45 in 11)", LAB),
    Coefficient("server_ms_per_transition", 1.6, "ms of CPU of all Temporal services", LAB),
    Coefficient(
        "database_ms_per_transition", 1.3, "ms of CPU of PostgreSQL, with the guard against #12097", LAB
    ),
    Coefficient(
        "wal_kb_per_transition", 9.5, "kB of WAL (105 kB a workflow of 11, whatever the settings)", LAB
    ),
    Coefficient("commits_per_flush", 18, "transactions a WAL flush at 5 ms; 6 with 4 shards", LAB),
    Coefficient(
        "shard_busy_share", 0.2, "of a shard's time; above it, writes queue behind each other", PAPER
    ),
    Coefficient("statement_ms", 2, "ms of a write beside its flushes", LAB),
    Coefficient("flushes_per_write", 2, "flushes that one session waits for in a transition", LAB),
    Coefficient("event_bytes", 400, "bytes a history event without its payload", PAPER),
    Coefficient(
        "workflow_bytes", 4500, "bytes a workflow beside its events: execution, visibility, task rows", PAPER
    ),
    Coefficient("storage_factor", 1.5, "indexes, fill factor and dead rows", PAPER),
    Coefficient("cpu_share", 0.7, "of the vCPUs, so that peaks and a lost host find room", PAPER),
    Coefficient("disk_share", 0.7, "of a disk", PAPER),
    Coefficient("growth", 4, "times today's goal that the shards, which can't change, should carry", PAPER),
    Coefficient("largest_database_vcpu", 32, "vCPU of one PostgreSQL host", PAPER),
    Coefficient("article_limit", 5000, "workflows/s up to which the article takes PostgreSQL", "the article"),
    Coefficient(
        "cassandra_requests_per_vcpu",
        700,
        "persistence requests/s a vCPU at RF 3",
        "published: 1,793 requests/s of Temporal on 32 cores, 12.5 of persistence each; not measured here",
    ),
)


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Values by name, and where each came from."""

    entries: Mapping[str, Coefficient] = field(default_factory=lambda: {one.name: one for one in DEFAULTS})

    def __getitem__(self, name: str) -> float:
        return self.entries[name].value

    def with_measured(self, values: Mapping[str, object], source: str) -> Coefficients:
        """Return these with some replaced; InputError for an unknown name or a value that is not above 0."""
        entries = dict(self.entries)
        for name, value in values.items():
            if name not in entries:
                raise InputError(
                    f"{source}: unknown coefficient {name!r}", remedy=f"known are {', '.join(entries)}"
                )
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise InputError(f"{source}: {name} must be a number above 0")
            old = entries[name]
            entries[name] = Coefficient(name, float(value), old.unit, source)
        return Coefficients(entries)


def measured(path: Path) -> Coefficients:
    """Read a cluster's own figures: JSON, `{"date": "2026-11-20", "wal_kb_per_transition": 8.1, …}`."""
    try:
        body = json.loads(trees.read(path, MOST_BYTES))
    except (FileNotFoundError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: can't be read as JSON: {error}") from None
    if not isinstance(body, dict) or not isinstance(body.get("date"), str):
        raise InputError(f"{path}: is no measurement", remedy='write {"date": "2026-11-20", "name": number}')
    values = {name: value for name, value in body.items() if name != "date"}
    return Coefficients().with_measured(values, f"{path.name}, {body['date']}")
