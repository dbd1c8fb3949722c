"""Temporal's schema: its job, with a word now and then, and what a first migration that was cut off has left.

The tool writes a version when all of its statements are done, and its first ones insert rows. Ended in
between, each later try fails at the row that is there already. No server starts on such a database, so
nothing in it is anybody's.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tempo_infra.on_host import containers, psql
from tempo_infra.on_host.database import TEMPORALS, VISIBILITY
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

SAY_EVERY_S, ASK_S, DROP_S = 15.0, 20.0, 60.0
EMPTY = "0.0"  # the version that the tool sets before its first migration
# What a server has written; the migration itself fills none of them.
OF_SERVERS = (
    "cluster_metadata_info",
    "namespaces",
    "executions",
    "current_executions",
    "executions_visibility",
)
TABLES = (
    "select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
)
VERSION = "select left(curr_version::text, 20) as version from public.schema_version limit 2"
ROWS = "select exists(select from public.{table}) as one"
DROP = """
select format('drop table public.%I cascade', relname) from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' \\gexec
select format('drop function %s cascade', p.oid::regprocedure) from pg_proc p
where pronamespace = 'public'::regnamespace and not exists
(select from pg_depend d where d.objid = p.oid and d.deptype = 'e') \\gexec
"""
AT_WORK = """
select left(query, 100) as query from pg_stat_activity
where state = 'active' and datname like 'temporal%'
and query ~* '^ *(alter|create|drop) +(table|index|unique|extension|function)' order by query_start limit 1
"""


def migrate(layout: Layout, args: change.Schema, say: "Callable[[str], None]") -> "dict[str, str]":
    """Bring both databases to the schema of the image; StepError with the tool's own words."""
    job = containers.Job("schema", deadline_s=args.deadline_s)
    containers.wait_for_earlier(job)
    for database in (TEMPORALS, VISIBILITY):
        if cut_off(database):
            say(f"{database}: an earlier first migration was cut off, it starts again")
            psql.change(psql.database_container(), DROP, database=database, deadline_s=DROP_S)
    with _said(say, args.deadline_s):
        return containers.job(layout, job, b"")


def cut_off(database: str) -> bool:
    """Whether a database holds the beginning of a schema and nothing of a server's."""
    container = psql.database_container()

    def ask(query: str) -> "list[dict[str, object]]":
        return psql.ask(container, query, database=database, deadline_s=ASK_S)

    tables = {str(row["name"]) for row in ask(TABLES)}
    if "schema_version" not in tables or [row["version"] for row in ask(VERSION)] != [EMPTY]:
        return False
    if not tables - {"schema_version", "schema_update_history"}:
        return False
    return not any(
        row["one"] for table in OF_SERVERS if table in tables for row in ask(ROWS.format(table=table))
    )


@contextmanager
def _said(say: "Callable[[str], None]", deadline_s: float) -> "Iterator[None]":
    """Say meanwhile how long it takes, and at which statement the database is."""
    began, over = time.monotonic(), threading.Event()

    def tell() -> None:
        while not over.wait(SAY_EVERY_S):
            words = f"{time.monotonic() - began:.0f} s of at most {deadline_s:.0f} s"
            say(f"{words}: {found}" if (found := _at_work()) else words)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()


def _at_work() -> str:
    try:
        rows = psql.ask(psql.database_container(), AT_WORK, deadline_s=5.0)
        return " ".join(str(rows[0]["query"]).split()) if rows else ""
    except StepError:
        return ""
