"""Faults of the running database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from tests.lab.planted.fault import Fault, Plant, Site
from tests.lab.planted.services import SERVICES, container, pgbench, psql

SHARE = 0.9  # of the connections that are there for ordinary roles
FORCED = 25
NAPS_S = 60
DEAD = (
    "create table planted (n int) with (autovacuum_enabled = off);"
    " insert into planted select generate_series(1, 30000); delete from planted where n <= 20000"
)
END = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where query like '%planted%' and pid <> pg_backend_pid()"
)


def by_sql(plant: str, heal: str, *, settle_s: float = 0) -> Plant:
    """Make a fault of two texts of SQL, one statement a `;`."""

    @contextmanager
    def made(site: Site) -> Iterator[None]:
        _run(site, plant)
        time.sleep(settle_s)
        try:
            yield
        finally:
            _run(site, heal)

    return made


def _run(site: Site, text: str) -> None:
    psql(site, *(one.strip() for one in text.split(";")))


@contextmanager
def edited_file(site: Site) -> Iterator[None]:
    """The rendered file is another one than the server has read."""
    file = f"$(ls -d {SERVICES}/postgresql-* | tail -1)/postgresql.conf"
    time.sleep(1.1)  # the time of a file has to be later than that of the load
    site.shell(f"cp -p {file} /root/kept && echo \"log_min_duration_statement = '7s'\" >> {file}")
    try:
        yield
    finally:
        site.shell(f"cat /root/kept > {file} && touch -r /root/kept {file} && rm /root/kept")


@contextmanager
def waiting_for_a_lock(site: Site) -> Iterator[None]:
    psql(site, "create table planted ()")
    for _ in range(2):
        _session(site, f"begin; lock table planted; select pg_sleep({NAPS_S})")
    time.sleep(3)
    try:
        yield
    finally:
        psql(site, END)
        psql(site, "drop table planted")


@contextmanager
def few_connections_left(site: Site) -> Iterator[None]:
    """Sessions that do nothing, until nine of ten connections are in use."""
    taken = "select count(*) from pg_stat_activity where backend_type = 'client backend'"
    there = "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    wanted = int(float(psql(site, f"select {SHARE} * ({there}) - ({taken})")))
    pgbench(site, f"select pg_sleep({NAPS_S}) as planted", clients=wanted, seconds=NAPS_S)
    time.sleep(3)
    try:
        yield
    finally:
        psql(site, END)


def _session(site: Site, text: str) -> None:
    words = f"psql -XqU postgres -d temporal -c {quote(text)}"
    site.shell(f"docker exec -d {container('postgresql')} {words}")


RELOAD = "select pg_reload_conf()"
AUTOVACUUM_OFF = by_sql(
    f"alter system set autovacuum = off; {RELOAD}", f"alter system reset autovacuum; {RELOAD}", settle_s=1
)
NOT_LOADED = by_sql(
    "alter system set log_min_messages = 'error'",
    f"alter system reset log_min_messages; {RELOAD}",
    settle_s=1,
)
PENDING = by_sql(
    f"alter system set max_connections = 500; {RELOAD}",
    f"alter system reset max_connections; {RELOAD}",
    settle_s=1,
)
OVERRIDDEN = by_sql(
    f"alter system set effective_cache_size = '8MB'; {RELOAD}",
    f"alter system reset effective_cache_size; {RELOAD}",
    settle_s=1,
)
OF_THE_OWNER, SUPERUSER, SOMEBODY = (
    by_sql(f"create role planted {rights}", "drop role planted")
    for rights in ("login in role temporal_blue", "nologin superuser", "login")
)
STORM = by_sql(
    "; ".join(["select pg_stat_reset_shared('checkpointer')", *["checkpoint"] * FORCED]),
    "select pg_stat_reset_shared('checkpointer')",
)

FAULTS = (
    Fault(
        "changed postgresql.conf that is not loaded",
        "postgresql",
        "postgres.settings",
        "fail",
        "a line is added to the rendered file",
        edited_file,
        also={"files.drift": "the file is one that was put there, and it was changed"},
    ),
    Fault(
        "ALTER SYSTEM that is not loaded",
        "postgresql",
        "postgres.settings",
        "fail",
        "alter system set log_min_messages, without a reload",
        NOT_LOADED,
        fast=True,
    ),
    Fault(
        "setting that waits for a restart",
        "postgresql",
        "postgres.settings",
        "fail",
        "alter system set max_connections, and a reload",
        PENDING,
    ),
    Fault(
        "rendered setting overridden by ALTER SYSTEM",
        "postgresql",
        "postgres.settings",
        "fail",
        "alter system set effective_cache_size, and a reload",
        OVERRIDDEN,
    ),
    Fault(
        "connections nearly used up",
        "postgresql",
        "postgres.connections",
        "warn",
        "idle sessions until nine of ten are taken",
        few_connections_left,
    ),
    Fault(
        "session that waits for a lock",
        "postgresql",
        "postgres.locks",
        "warn",
        "two sessions lock the same table",
        waiting_for_a_lock,
        fast=True,
    ),
    Fault(
        "role that may do what the databases' owner may",
        "postgresql",
        "postgres.logins",
        "fail",
        "create role, login, a member of a member of temporal",
        OF_THE_OWNER,
        fast=True,
    ),
    Fault(
        "superuser beside postgres",
        "postgresql",
        "postgres.logins",
        "fail",
        "create role, superuser, that doesn't log in yet",
        SUPERUSER,
    ),
    Fault(
        "login of somebody else",
        "postgresql",
        "postgres.logins",
        "warn",
        "create role, login, without any right",
        SOMEBODY,
    ),
    Fault(
        "checkpoint storm",
        "postgresql",
        "postgres.wal",
        "warn",
        f"{FORCED} forced checkpoints",
        STORM,
    ),
    Fault(
        "autovacuum off",
        "postgresql",
        "postgres.vacuum",
        "fail",
        "alter system set autovacuum = off",
        AUTOVACUUM_OFF,
        also={"postgres.settings": "ALTER SYSTEM overrides what was rendered"},
    ),
    Fault(
        "autovacuum far behind",
        "postgresql",
        "postgres.vacuum",
        "warn",
        "a table of 30 000 rows, two thirds of them deleted and not vacuumed",
        by_sql(DEAD, "drop table planted", settle_s=1),
    ),
)
