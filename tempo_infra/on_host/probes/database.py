"""The cluster's database as it runs, and what Temporal's own tables in it say of shards and members.

One query a subject, so that one that this version of PostgreSQL doesn't know spoils no other.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable

from tempo_infra.on_host import fit
from tempo_infra.on_host.database import TEMPORALS, VISIBILITY, members
from tempo_infra.on_host.probes import logins, overrides, protobuf, refused, task_queues
from tempo_infra.on_host.probes.postgres import DEADLINE_S, ask
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt
from tempo_infra.on_host.steps.change import ITS_DATABASE

SHARD_COUNT = 2  # field number of history_shard_count in Temporal's persistence ClusterMetadata
_MAX_NAMES = 20
_MAX_MEMBERS = 500
OTHERS = "others"  # tables and indexes whose names are not as Temporal's are
NOT_ASKED: "Reading[Any]" = Reading(None, "not asked")

_LIVE = f"""
select json_build_object(
 'overrides', {overrides.QUERY},
 'pending', (select coalesce(json_agg(name), '[]') from pg_settings where pending_restart),
 'errors', (select coalesce(json_agg(coalesce(name, '?') || ': ' || error), '[]') from pg_file_settings
            where error is not null and error <> 'setting could not be applied'),
 'differs', (select coalesce(json_agg(f.name), '[]') from
             (select distinct on (name) name, applied, error from pg_file_settings
              order by name, seqno desc) f
             where not f.applied or f.error is not null),
 'stale', (select coalesce(json_agg(f.sourcefile), '[]') from
           (select distinct sourcefile from pg_file_settings
            where (pg_stat_file(sourcefile)).modification > pg_conf_load_time()) f),
 'altered', (select coalesce(json_agg(distinct name), '[]') from pg_file_settings
             where sourcefile like '%postgresql.auto.conf'),
 'settings', (select count(*) from pg_file_settings),
 'max', current_setting('max_connections')::int,
 'reserved', current_setting('superuser_reserved_connections')::int,
 'used', (select count(*) from pg_stat_activity where backend_type = 'client backend'),
 'clients', (select coalesce(json_agg(c), '[]') from
             (select coalesce(host(client_addr), '') as address, count(*) as used from pg_stat_activity
              where backend_type = 'client backend' and usename not in ('postgres', 'temporal_local')
              group by 1 order by 2 desc limit 50) c),
 'huge_pages', current_setting('huge_pages'),
 'huge_pages_status', coalesce(current_setting('huge_pages_status', true), ''),
 'idle_in_transaction_s', (select coalesce(max(extract(epoch from now() - state_change)), 0)
                           from pg_stat_activity where state = 'idle in transaction'),
 'lock_waits', (select count(*) from pg_locks where not granted),
 'lock_wait_s', (select coalesce(max(extract(epoch from now() - waitstart)), 0) from pg_locks
                 where not granted),
 'archive_failed', (select case when last_failed_time > coalesce(last_archived_time, '-infinity')
  then failed_count else 0 end from pg_stat_archiver),
 'slots_held_bytes', (select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)
                      from pg_replication_slots where not pg_is_in_recovery()),
 'xid_age', (select max(age(datfrozenxid)) from pg_database),
 'freeze_max_age', current_setting('autovacuum_freeze_max_age')::bigint,
 'bytes', (select sum(pg_database_size(oid)) from pg_database),
 'born_s', extract(epoch from now() - (pg_stat_file('PG_VERSION')).modification)) as told
"""  # noqa: S608 - constants
# Of PostgreSQL 17 on; before that the columns stood in pg_stat_bgwriter.
_CHECKPOINTS = """
select json_build_object('timed', num_timed, 'requested', num_requested,
 'over_s', extract(epoch from now() - stats_reset)) as told from pg_stat_checkpointer
"""
_DEAD = """
select json_build_object('autovacuum', current_setting('autovacuum'), 'tables',
 (select coalesce(json_agg(t), '[]') from (select relname::text as name, n_dead_tup as dead,
  n_live_tup as live, pg_total_relation_size(relid) as bytes from pg_stat_user_tables
  where n_dead_tup > 10000 order by n_dead_tup desc limit 5) t), 'indexes',
 (select coalesce(json_agg(i), '[]') from (select c.relname::text as name, t.relname::text as table,
  pg_relation_size(c.oid) as bytes, greatest(c.reltuples, s.n_live_tup, 0)::bigint as rows
  from pg_index x join pg_class c on c.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
  join pg_stat_user_tables s on s.relid = t.oid join pg_am a on a.oid = c.relam
  where a.amname = 'btree' order by pg_relation_size(c.oid) desc limit 10) i), 'sizes',
 (select coalesce(json_object_agg(z.name, z.bytes), '{}') from (
  select case c.relkind when 'i' then 'index ' else 'table ' end || c.relname as name,
   case c.relkind when 'i' then pg_relation_size(c.oid) else pg_table_size(c.oid) end as bytes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'i') and n.nspname = 'public' and not exists (
   select from pg_locks l where l.relation = c.oid and l.mode = 'AccessExclusiveLock')
  order by bytes desc limit 20) z)) as told
"""  # who asks for the size of a table that somebody has for himself, waits for him
_METADATA = """
select encode(substr(data, 1, 65536), 'hex') as data from public.cluster_metadata_info
order by metadata_partition limit 1
"""


@dataclass(frozen=True, slots=True)
class Clients:
    """Connections from one address; "" is the local socket."""

    address: str
    used: int


@dataclass(frozen=True, slots=True)
class Live:
    pending_restart: tuple[str, ...]
    file_errors: tuple[str, ...]
    not_applied: tuple[str, ...]  # lines of the files that the server doesn't run with
    files_not_loaded: tuple[str, ...]  # changed since the server read them
    altered: tuple[str, ...]  # by ALTER SYSTEM, which wins over the files
    file_settings: int
    max_connections: int
    reserved: int
    connections: int
    clients: tuple[Clients, ...]  # without the superuser's
    huge_pages: str  # the setting: "on", "try", "off"
    huge_pages_used: str  # "on", "off" or "" before PostgreSQL 17
    idle_in_transaction_s: float
    lock_waits: int  # sessions that wait for a lock of another at this moment
    longest_lock_wait_s: float
    archive_failed: int
    slots_held_bytes: int
    xid_age: int
    freeze_max_age: int
    data_bytes: int
    born_s: float  # seconds since initdb
    overrides: tuple[str, ...] = ()  # set for databases and roles by somebody else, in words


@dataclass(frozen=True, slots=True)
class Checkpoints:
    timed: int
    requested: int  # because the WAL was full before its time
    over_s: float


@dataclass(frozen=True, slots=True)
class Bloat:
    table: str
    dead: int
    live: int
    database: str = ""
    bytes: int = 0  # with its indexes


@dataclass(frozen=True, slots=True)
class Index:
    """A sorted index (btree) and how many rows it has to point to."""

    database: str
    table: str
    name: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Vacuum:
    on: bool
    tables: tuple[Bloat, ...]  # of each database the five with the most dead rows
    indexes: tuple[Index, ...] = ()  # of each database the ten largest
    sizes: "dict[str, int]" = field(default_factory=dict)  # "temporal: index executions_pkey" -> bytes


@dataclass(frozen=True, slots=True)
class Database:
    live: Reading[Live]
    checkpoints: Reading[Checkpoints]
    vacuum: Reading[Vacuum]
    members: Reading[tuple[str, ...]]  # "history 10.0.0.12:6934", heartbeat within 30 s
    shards: Reading[int]
    waiting: Reading[tuple[task_queues.Waiting, ...]]
    roles: Reading[tuple[logins.Role, ...]] = NOT_ASKED  # by a version before this one
    refusals: Reading[tuple[refused.Refused, ...]] = NOT_ASKED  # in the last 10 minutes; likewise


def live_of(told: "dict[str, Any]") -> Live:
    return Live(
        pending_restart=_names(told["pending"]),
        file_errors=_names(told["errors"]),
        not_applied=_names(told["differs"]),
        files_not_loaded=_names(told["stale"]),
        altered=_names(told["altered"]),
        file_settings=int(told["settings"]),
        max_connections=int(told["max"]),
        reserved=int(told["reserved"]),
        connections=int(told["used"]),
        clients=tuple(Clients(str(one["address"]), int(one["used"])) for one in told["clients"]),
        huge_pages=str(told["huge_pages"]),
        huge_pages_used=str(told["huge_pages_status"]),
        idle_in_transaction_s=round(float(told["idle_in_transaction_s"]), 1),
        lock_waits=int(told["lock_waits"]),
        longest_lock_wait_s=round(float(told["lock_wait_s"]), 2),
        archive_failed=int(told["archive_failed"]),
        slots_held_bytes=int(told["slots_held_bytes"]),
        xid_age=int(told["xid_age"]),
        freeze_max_age=int(told["freeze_max_age"]),
        data_bytes=int(told["bytes"]),
        born_s=round(float(told["born_s"])),
        overrides=overrides.strange(told.get("overrides") or []),
    )


def _names(value: "list[Any]") -> "tuple[str, ...]":
    return tuple(str(one) for one in value)[:_MAX_NAMES]


def checkpoints_of(told: "dict[str, Any]") -> Checkpoints:
    return Checkpoints(int(told["timed"]), int(told["requested"]), round(float(told["over_s"])))


def vacuum_of(told: "dict[str, dict[str, Any]]") -> Vacuum:
    """Make sense of the answers of several databases, by their names."""
    tables = tuple(
        Bloat(_table(one["name"]), int(one["dead"]), int(one["live"]), database, int(one["bytes"]))
        for database, part in told.items()
        for one in part["tables"]
    )
    indexes = tuple(
        Index(database, _table(one["table"]), str(one["name"]), int(one["bytes"]), int(one["rows"]))
        for database, part in told.items()
        for one in part["indexes"]
        if fit.TABLE.fullmatch(str(one["name"]))  # it stands in a command that people are told to type
    )
    sizes: "Counter[str]" = Counter()
    for database, part in told.items():
        for name, bytes_ in part["sizes"].items():
            sizes[f"{database}: {_known(name)}"] += int(bytes_)
    return Vacuum(all(part["autovacuum"] == "on" for part in told.values()), tables, indexes, dict(sizes))


def _known(name: str) -> str:
    """Return what can be a name of Temporal's as it is, one word for all else."""
    return name if fit.TABLE.fullmatch(name.partition(" ")[2]) else OTHERS


def _table(name: object) -> str:
    return str(name) if fit.TABLE.fullmatch(str(name)) else OTHERS


def shards_of(data: str) -> int:
    """Read history_shard_count out of a protobuf message in hexadecimal."""
    found = protobuf.number(bytes.fromhex(data), SHARD_COUNT)
    if not found:
        raise Unread("Temporal's cluster metadata holds no shard count")
    if not fit.is_number(found):
        raise Unread("Temporal's cluster metadata holds a shard count that can't be")
    return found


def read(container: str) -> Database:
    """Ask the running server in that container, two queries at a time; every part may fail by itself."""

    def told(query: str, column: str = "told", database: str = ITS_DATABASE) -> Any:  # noqa: ANN401 - JSON
        rows = ask(container, query, database=database)
        if not rows:
            raise Unread("the database answered without a row")
        return rows[0][column]

    asked: "dict[str, Callable[[], Any]]" = {
        "live": lambda: live_of(told(_LIVE)),
        "checkpoints": lambda: checkpoints_of(told(_CHECKPOINTS)),
        "vacuum": lambda: vacuum_of({one: told(_DEAD, database=one) for one in (TEMPORALS, VISIBILITY)}),
        "members": lambda: tuple(members(container, deadline_s=DEADLINE_S)[:_MAX_MEMBERS]),
        "shards": lambda: shards_of(told(_METADATA, "data", TEMPORALS)),
        "refusals": lambda: refused.read(container),
        "roles": lambda: logins.roles(lambda query: ask(container, query)),
    }
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = dict(zip(asked, pool.map(attempt, asked.values()), strict=True))
    waiting = attempt(lambda: task_queues.read(lambda query: ask(container, query, database=TEMPORALS)))
    return Database(**found, waiting=waiting)
