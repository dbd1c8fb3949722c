"""The running database: the settings that were rendered, connections, checkpoints, dead rows, growth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_least,
    at_most,
    count,
    follow,
    judged,
    noting,
    number,
    skipped,
    together,
)
from tempo_infra.on_host.probes.overrides import quoted
from tempo_infra.on_host.probes.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tempo_infra.checks.expected import EarlierSize, Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.database import Checkpoints, Database, Index, Live, Vacuum

T = TypeVar("T")

TOOLS = 5  # connections of people and of what provisions, beside the pools
USED_PERCENT, USED_FAIL_PERCENT = 80, 95  # of the connections that ordinary roles may have; judgement
REQUESTED_PERCENT = 20  # checkpoints forced by a full WAL; more, and max_wal_size is too small; judgement
FEW_CHECKPOINTS = 20  # too few to speak of shares; a fresh database fills its WAL while it is made
# Keys of Temporal's indexes have at most some 400 bytes (columns of 255 and 64 characters, a run id, times);
# pages are two thirds full on average.
ROW_BYTES, LARGE_BYTES = 600, 128 * 1024**2
DEAD_PERCENT = 40  # of a table; autovacuum starts at 20 % by default
SLOT_BYTES, SLOT_FAIL_BYTES = 4 * 1024**3, 32 * 1024**3  # WAL that a replication slot holds back; judgement
LOCK_WAIT_S = 1  # a call of Temporal has a few seconds for all it does; judgement
IDLE_S = 600  # a transaction open and idle this long holds dead rows back; judgement
DAY_S = 86_400
LEAST_S = 3600  # a shorter time is that of a checkpoint or a vacuum
GROWERS = 3  # tables and indexes that are named
WORTH_NAMING_BYTES = 10 * 1024 * 1024
YOUNG_S = 2 * DAY_S  # a younger database's growth is that of its first filling
DAYS_LEFT, DAYS_LEFT_FAIL = 30, 7  # judgement: time to order a larger volume
_VIEWS = "https://www.postgresql.org/docs/current/view-pg-file-settings.html"
_STATS = "https://www.postgresql.org/docs/current/monitoring-stats.html"


def ask_database(facts: Facts, expected: Expected, get: Callable[[Database], Reading[T]]) -> Reading[T]:
    """Go to one reading of the database; on a host that should have none, there is nothing to miss."""
    if not expected.keeps_the_data:
        return Reading(None, "the database is on another host", not_wanted=True)
    return follow(facts.database, get)


@check(
    "postgres.settings",
    "PostgreSQL runs with the settings that were rendered",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants="no setting waits for a restart, no line of the files is in error or not applied, no file was "
    "changed since it was loaded, none is overridden by ALTER SYSTEM, or for a database or role",
    remedy="tempo-infra provision -i {inventory} --host {host} applies them and restarts where it must; "
    "ALTER SYSTEM RESET takes an override back",
    source=_VIEWS,
)
def settings(facts: Facts, expected: Expected) -> Finding:
    def judge(told: Live) -> Finding:
        wrong = dict.fromkeys((*told.file_errors, *told.not_applied))
        parts = [f"waits for a restart: {', '.join(told.pending_restart)}"] if told.pending_restart else []
        stale = ", ".join(one.rpartition("/")[2] for one in told.files_not_loaded)
        parts += [f"changed and not loaded: {stale}"] if stale else []
        parts += [f"not applied: {', '.join(wrong)}"] if wrong else []
        parts += [f"overridden by ALTER SYSTEM: {', '.join(told.altered)}"] if told.altered else []
        parts += [f"set by somebody: {one}" for one in told.overrides]
        return Finding(
            outcome=Outcome.FAIL if parts else Outcome.PASS,
            found="; ".join(parts) or f"{told.file_settings} settings applied",
            wanted="all applied",
            evidence=asdict(told),
        )

    return judged(ask_database(facts, expected, lambda part: part.live), judge)


@check(
    "postgres.connections",
    "there are connections left",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"at most {USED_PERCENT} % of max_connections in use, without the superuser's; "
    f"beyond {USED_FAIL_PERCENT} % it fails; no host uses more than its pools were planned with",
    remedy="select usename, client_addr, state, count(*) from pg_stat_activity group by 1, 2, 3 says whose",
    source=_STATS,
)
def connections(facts: Facts, expected: Expected) -> Finding:
    def judge(told: Live) -> Finding:
        room = max(1, told.max_connections - told.reserved)
        percent = round(100 * told.connections / room, 1)
        found = at_most(percent, USED_PERCENT, fail=USED_FAIL_PERCENT, unit="%")
        found = noting(found, f"{told.connections} of {room}", used=told.connections, room=room)
        return together(found, *_beyond_plan(told, expected))

    return judged(ask_database(facts, expected, lambda part: part.live), judge)


def _beyond_plan(told: Live, expected: Expected) -> list[Finding]:
    """Compare what each host uses with its pools; what comes from no known host is counted as this one's."""
    if not expected.pools:
        return []
    used = dict.fromkeys(expected.pools, 0)
    for one in told.clients:
        address = one.address if one.address in used else expected.internal
        used[address] = used.get(address, 0) + one.used
    return [
        Finding(
            outcome=Outcome.WARN,
            found=f"{address} uses {count}",
            wanted=f"≤ {expected.pools[address]} planned",
        )
        for address, count in used.items()
        if count > expected.pools.get(address, 0) + TOOLS
    ]


@check(
    "postgres.locks",
    "nobody waits long for a lock",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"no session that waits for a lock longer than {LOCK_WAIT_S} s, at the moment of the check",
    remedy="select pid, pg_blocking_pids(pid), query from pg_stat_activity where wait_event_type = 'Lock'",
    source="https://www.postgresql.org/docs/current/view-pg-locks.html",
)
def locks(facts: Facts, expected: Expected) -> Finding:
    def judge(told: Live) -> Finding:
        found = at_most(told.longest_lock_wait_s, LOCK_WAIT_S, unit="s", label="longest")
        return noting(found, f"{told.lock_waits} wait", waiting=told.lock_waits)

    return judged(ask_database(facts, expected, lambda part: part.live), judge)


@check(
    "postgres.wal",
    "the write-ahead log flows",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"at most {REQUESTED_PERCENT} % of checkpoints forced by a full WAL, nothing that failed to be "
    "archived, no replication slot that holds gigabytes back",
    remedy="forced checkpoints: a larger max_wal_size; a slot nobody reads: select pg_drop_replication_slot",
    source=_STATS,
)
def wal(facts: Facts, expected: Expected) -> Finding:
    def held(told: Live) -> Finding:
        slots = at_most(
            told.slots_held_bytes, SLOT_BYTES, fail=SLOT_FAIL_BYTES, unit="bytes", label="held by slots"
        )
        if not told.archive_failed:
            return slots
        words = f"{told.archive_failed} segments failed to be archived"
        failed = Finding(outcome=Outcome.WARN, found=words)
        return together(slots, failed)

    def forced(told: Checkpoints) -> Finding:
        total = told.timed + told.requested
        if total < FEW_CHECKPOINTS:
            return Finding(outcome=Outcome.PASS, found=f"{total} checkpoints so far", evidence=asdict(told))
        percent = round(100 * told.requested / total, 1)
        found = at_most(percent, REQUESTED_PERCENT, unit="%", label="forced checkpoints")
        return noting(found, f"{told.requested} of {total}", **asdict(told))

    live = judged(ask_database(facts, expected, lambda part: part.live), held)
    checkpoints = judged(ask_database(facts, expected, lambda part: part.checkpoints), forced)
    return together(live, checkpoints)


@check(
    "postgres.vacuum",
    "autovacuum keeps up",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"in both databases: autovacuum on, at most {DEAD_PERCENT} % dead rows in each large table, at "
    f"most {ROW_BYTES} bytes a row in each large index; no transaction idle for ten minutes, oldest "
    "transaction id within autovacuum_freeze_max_age",
    remedy="select * from pg_stat_progress_vacuum; end what is `idle in transaction`; REINDEX INDEX "
    "CONCURRENTLY makes a bloated index small again while all works, shorter retention does not",
    source="https://www.postgresql.org/docs/current/routine-vacuuming.html",
)
def vacuum(facts: Facts, expected: Expected) -> Finding:
    live = ask_database(facts, expected, lambda part: part.live).value

    def judge(told: Vacuum) -> Finding:
        if not told.on:
            return Finding(outcome=Outcome.FAIL, found="off", wanted="on")
        parts = [Finding(outcome=Outcome.PASS, found="on", wanted="on")]
        for one in told.tables:
            share = round(100 * one.dead / max(1, one.dead + one.live), 1)
            if share > DEAD_PERCENT:
                words = f"{one.table} {number(share, '%')} dead ({count(one.dead)} rows)"
                parts.append(Finding(outcome=Outcome.WARN, found=words, wanted=f"≤ {DEAD_PERCENT} %"))
        parts += [_bloated(one) for one in told.indexes if _is_bloated(one)]
        return noting(together(*parts, *_held_back(live)), "", **asdict(told))

    return judged(ask_database(facts, expected, lambda part: part.vacuum), judge)


def _is_bloated(one: Index) -> bool:
    return one.bytes > LARGE_BYTES and one.bytes > ROW_BYTES * one.rows


def _bloated(one: Index) -> Finding:
    size = f"{number(one.bytes, 'bytes')} for {count(one.rows)} rows"
    words = (
        f"{one.database}: index {one.name} of {one.table} has {size}: "
        f"REINDEX INDEX CONCURRENTLY {quoted(one.name)}"
    )
    return Finding(outcome=Outcome.WARN, found=words, wanted=f"≤ {ROW_BYTES} bytes a row")


def _held_back(live: Live | None) -> list[Finding]:
    if live is None:
        return []
    found = []
    if live.idle_in_transaction_s > IDLE_S:
        idle = number(live.idle_in_transaction_s, "s")
        found.append(Finding(outcome=Outcome.WARN, found=f"a transaction idle for {idle}"))
    if live.xid_age > live.freeze_max_age:
        outcome = Outcome.FAIL if live.xid_age > 2 * live.freeze_max_age else Outcome.WARN
        found.append(Finding(outcome=outcome, found=f"oldest transaction id {count(live.xid_age)} back"))
    return found


@check(
    "disk.growth",
    "the disk lasts",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"{DAYS_LEFT} days at the growth since the report that --compare names, or else at the average "
    f"since the database was made; below {DAYS_LEFT_FAIL} it fails",
    remedy="postgres.vacuum names bloated indexes, which REINDEX INDEX CONCURRENTLY makes small; else "
    "shorten the retention of namespaces, or order a larger volume now",
    source="judgement: the time to order and move",
)
def growth(facts: Facts, expected: Expected) -> Finding:
    space = follow(facts.disk, lambda part: part.space)
    vacuum = ask_database(facts, expected, lambda part: part.vacuum).value
    sizes = vacuum.sizes if vacuum else {}

    def judge(told: Live) -> Finding:
        grown = _since(expected.earlier, told, facts.taken_at) or Grown(told.data_bytes, told.born_s)
        evidence = {"data_bytes": told.data_bytes, "taken_at": facts.taken_at, "sizes": sizes}
        if reason := _too_short(grown, since_made=grown.seconds == told.born_s):
            return noting(skipped(reason), "", **evidence)
        per_day = max(0, grown.bytes) / grown.seconds * DAY_S

        def lasts(free_bytes: int) -> Finding:
            days = min(3650, int(free_bytes / max(1.0, per_day)))
            found = at_least(days, DAYS_LEFT, fail=DAYS_LEFT_FAIL, unit="days")
            pace = f"{number(grown.bytes, 'bytes')} in {number(grown.seconds / DAY_S, 'days')}"
            pace = "; ".join((pace, *_what_grew(expected.earlier, sizes)))
            return noting(found, pace, bytes_per_day=round(per_day), days_left=days, **evidence)

        return judged(space, lambda one: lasts(one.free_bytes))

    return judged(ask_database(facts, expected, lambda part: part.live), judge)


@dataclass(frozen=True, slots=True)
class Grown:
    bytes: int
    seconds: float


def _what_grew(earlier: EarlierSize | None, sizes: Mapping[str, int]) -> Iterator[str]:
    """Name the tables and indexes that grew most since the earlier report, each with what makes it small."""
    before = earlier.sizes if earlier else {}
    grown = {name: now - before[name] for name, now in sizes.items() if name in before}
    for name, by in sorted(grown.items(), key=lambda one: -one[1])[:GROWERS]:
        if by >= WORTH_NAMING_BYTES:
            index = name.partition(": index ")[2]
            remedy = f"REINDEX INDEX CONCURRENTLY {quoted(index)}" if index else "a shorter retention"
            yield f"{name} grew by {number(by, 'bytes')} ({remedy})"


def _too_short(grown: Grown, *, since_made: bool) -> str:
    """Return why a time says nothing about growth; empty when it does."""
    if since_made and grown.seconds < YOUNG_S:
        return f"the database is {number(grown.seconds / 3600, 'h')} old: too young to tell"
    return "" if since_made or grown.seconds >= LEAST_S else "less than an hour since the earlier report"


def _since(earlier: EarlierSize | None, told: Live, now: str) -> Grown | None:
    """Return the growth since an earlier report; None where there is none."""
    if earlier is None:
        return None
    try:
        passed = datetime.fromisoformat(now) - datetime.fromisoformat(earlier.taken_at)
    except (ValueError, TypeError):
        return None
    return Grown(told.data_bytes - earlier.data_bytes, passed.total_seconds())
