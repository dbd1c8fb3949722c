"""What a running PostgreSQL counts itself: the flushes of its write-ahead log, and how many files it opens.

A probe that writes would take flushes away from a database at work; its own counters are the better figure
anyway, for they are of the writes that matter. They need track_wal_io_timing. They are read twice, with the
run in between: the difference is the present. (A session at work tells its own counts once a second.)
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import psql
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt
from tempo_infra.on_host.steps.change import ITS_DATABASE

if TYPE_CHECKING:
    from tempo_infra.on_host.probes.docker import Container

WINDOW_S, QUICK_WINDOW_S = 5.0, 0.3  # at least
DEADLINE_S = 6.0
_SETTINGS = (
    "select current_setting('server_version_num')::integer as version,"
    " current_setting('max_files_per_process')::integer as files,"
    " current_setting('track_wal_io_timing') = 'on' as timed, pg_is_in_recovery() as recovers"
)
_WAL = "select wal_sync as count, wal_sync_time as time_ms from pg_stat_wal"
NEWER = 180_000  # PostgreSQL 18 moved both columns of pg_stat_wal to pg_stat_io


@dataclass(frozen=True, slots=True)
class Settings:
    version: int  # 170004
    max_files_per_process: int
    times_flushes: bool
    in_recovery: bool


@dataclass(frozen=True, slots=True)
class Flushed:
    """Flushes of the WAL, and how long they took together."""

    count: int
    time_ms: float


@dataclass(frozen=True, slots=True)
class WalFlush:
    count: int  # since the counters were last reset
    mean_ms: float
    window_s: float
    window_count: int
    window_mean_ms: float  # 0.0 when nothing was flushed in the window
    method: str = "pg_stat_wal: wal_sync_time over wal_sync"


@dataclass(frozen=True, slots=True)
class Begun:
    """What was asked first, and when: the window begins."""

    container: str
    settings: Reading[Settings]
    flushed: Reading[Flushed]
    at_s: float


@dataclass(frozen=True, slots=True)
class Postgres:
    container: str
    settings: Reading[Settings]
    wal_flush: Reading[WalFlush]


def settings_of(row: "dict[str, Any]") -> Settings:
    return Settings(int(row["version"]), int(row["files"]), bool(row["timed"]), bool(row["recovers"]))


def flushed_of(row: "dict[str, Any]") -> Flushed:
    return Flushed(int(row["count"]), float(row["time_ms"]))


def between(before: Flushed, after: Flushed, window_s: float) -> WalFlush:
    count, time_ms = after.count - before.count, after.time_ms - before.time_ms
    return WalFlush(
        count=after.count,
        mean_ms=round(after.time_ms / after.count, 4) if after.count else 0.0,
        window_s=round(window_s, 2),
        window_count=count,
        window_mean_ms=round(time_ms / count, 4) if count > 0 else 0.0,
    )


def ask(container: str, query: str, *, database: str = ITS_DATABASE) -> "list[dict[str, Any]]":
    """Return the rows of one query in the time that a probe has."""
    return psql.ask(container, query, database=database, deadline_s=DEADLINE_S)


def _flushed(container: str, settings: "Reading[Settings]") -> Flushed:
    known = settings.value
    if known is None:
        raise Unread(settings.unread)
    if not known.times_flushes:
        raise Unread("track_wal_io_timing is off, so PostgreSQL doesn't time its flushes")
    if known.version >= NEWER:
        major = known.version // 10_000
        raise Unread(f"PostgreSQL {major} counts WAL flushes in pg_stat_io, which is not read yet")
    return flushed_of(ask(container, _WAL)[0])


def database_of(containers: "tuple[Container, ...]") -> "Container | None":
    """Return the cluster's own PostgreSQL, if it runs here."""
    ours = [one for one in containers if one.ours and one.service.startswith("postgres")]
    return ours[0] if ours else None


def begin(containers: "tuple[Container, ...]") -> Begun:
    """Ask for settings and counters; `read` asks again."""
    database = database_of(containers)
    if database is None:
        raise Unread("no PostgreSQL of the cluster runs here", not_wanted=True)
    settings = attempt(lambda: settings_of(ask(database.name, _SETTINGS)[0]))
    flushed = attempt(lambda: _flushed(database.name, settings))
    return Begun(database.name, settings, flushed, time.monotonic())


def read(begun: Begun, window_s: float = WINDOW_S) -> Postgres:
    """Ask for the counters once more, `window_s` seconds after the first time or later."""

    def again() -> WalFlush:
        if begun.flushed.value is None:
            raise Unread(begun.flushed.unread)
        time.sleep(max(0.0, begun.at_s + window_s - time.monotonic()))
        after = flushed_of(ask(begun.container, _WAL)[0])
        return between(begun.flushed.value, after, time.monotonic() - begun.at_s)

    return Postgres(begun.container, begun.settings, attempt(again))
