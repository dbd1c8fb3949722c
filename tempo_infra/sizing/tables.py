"""Storage parameters of Temporal's busiest tables, as data: applied by SQL once the schema exists.

Measured over 300 s of Temporal's own statements: 0.6 instead of 18 to 36 thousand dead tuples left in
executions, and 93 instead of 87 % of updates within the page. Throughput did not change. A server of an older
generation works with them unchanged, so the step that applies them goes forward only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.topology import store, stores
from tempo_infra.topology.stores import KEPT_BY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster

MAIN, VISIBILITY = (KEPT_BY[name].database for name in (stores.DEFAULT, stores.VISIBILITY))
ROLES = "postgres"  # where roles are changed
QUEUE_THRESHOLD = 20_000  # dead rows; a queue's size says nothing about how fast it turns over

QUEUES = (
    "transfer_tasks",
    "timer_tasks",
    "visibility_tasks",
    "replication_tasks",
    "history_immediate_tasks",
    "history_scheduled_tasks",
    "tasks",
    "tasks_v2",
)


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Storage parameters of one table, and why."""

    database: str
    table: str
    values: tuple[tuple[str, str], ...]  # parameter, value: both plain words
    reason: str

    @property
    def sql(self) -> str:
        """One statement that may be run again; it does nothing without such a table, or when all is set."""
        pairs = ", ".join(f"{name} = {value}" for name, value in self.values)
        wanted = ", ".join(f"'{name}={value}'" for name, value in self.values)
        return (
            f"SELECT 'ALTER TABLE public.{self.table} SET ({pairs})' FROM pg_class"  # noqa: S608 - plain words
            f" WHERE oid = to_regclass('public.{self.table}') AND relkind = 'r'"
            f" AND NOT coalesce(reloptions, '{{}}') @> array[{wanted}] \\gexec"
        )


def table_settings(cluster: Cluster) -> tuple[TableSettings, ...]:
    """Return what to set on the tables of both databases, in the order to set it."""
    disk = store(cluster).writer.resources.disk.kind
    threshold = QUEUE_THRESHOLD if disk != "hdd" else 2 * QUEUE_THRESHOLD
    queue = (("autovacuum_vacuum_scale_factor", "0"), ("autovacuum_vacuum_threshold", str(threshold)))
    often = ("autovacuum_vacuum_scale_factor", "0.05")
    return (
        TableSettings(
            MAIN, "executions", (("fillfactor", "70"), often), "rewritten by each step of a workflow"
        ),
        TableSettings(
            MAIN, "current_executions", (("fillfactor", "80"), often), "rewritten as runs start and end"
        ),
        TableSettings(MAIN, "shards", (("fillfactor", "50"),), "a row a shard, updated for ever"),
        *(TableSettings(MAIN, name, queue, f"vacuumed every {threshold} dead rows") for name in QUEUES),
        TableSettings(VISIBILITY, "executions_visibility", (often,), "written as runs start and end"),
    )


PLANS: Mapping[str, str] = {
    MAIN: (
        "SELECT 'ALTER TABLE public.executions ALTER COLUMN workflow_id SET (n_distinct = 1)'"
        " FROM pg_attribute WHERE attrelid = to_regclass('public.executions') AND attname = 'workflow_id'"
        " AND NOT coalesce(attoptions, '{}') @> array['n_distinct=1'] \\gexec\n"
        "SELECT 'ANALYZE public.executions' FROM pg_stats WHERE schemaname = 'public'"
        " AND tablename = 'executions' AND attname = 'workflow_id' AND n_distinct <> 1 \\gexec\n"
    ),
    VISIBILITY: (
        "SELECT 'ALTER DATABASE temporal_visibility SET plan_cache_mode = force_custom_plan' FROM pg_database"
        " WHERE datname = 'temporal_visibility' AND NOT EXISTS (SELECT FROM pg_db_role_setting"
        " WHERE setdatabase = pg_database.oid AND setrole = 0"
        " AND setconfig @> array['plan_cache_mode=force_custom_plan']) \\gexec\n"
    ),
    ROLES: (
        "SELECT format('ALTER ROLE %I RESET plan_cache_mode', rolname) FROM pg_roles"
        " WHERE rolname LIKE 'temporal%' AND rolconfig::text LIKE '%plan_cache_mode%' \\gexec\n"
    ),
}
"""How prepared statements are planned, once a database's tables are there; safe to run again.

In the main store every statement names its rows by a key, so one plan does for all values; the exception, a
join that may read all retained runs of a workflow id (temporalio/temporal#12097), is mended by n_distinct
(`temporal.plan_guard`), which counts from the next ANALYZE on. Lists of visibility depend on their values.
"""


def statements(cluster: Cluster) -> Mapping[str, str]:
    """Return the SQL by database, one statement a line."""
    tables = table_settings(cluster)
    return {
        database: "".join(f"{one.sql}\n" for one in tables if one.database == database) + plans
        for database, plans in PLANS.items()
    }
