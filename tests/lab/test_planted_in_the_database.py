"""Whoever has the database's password plants code where tempo-infra reads: it runs, and nobody gains by it.

What is planted says into the server's log who ran it, then tries to become more. The cluster works on.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.logins import LOCAL, Login
from tempo_infra.topology import store
from tests.lab.conftest import Inventory, containers

FILE = "/tmp/planted"  # in the database's container
# Each would work for a superuser, also for one that had taken a lesser role.
TRIES = (
    "reset role",
    "set role postgres",
    "reset session authorization",
    "set session authorization postgres",
    "set transaction read write",
    "create role planted_reader login superuser",
    "create role planted_reader login",
    f"alter role {LOCAL} superuser",
    f"alter role {LOCAL} password $x$mine$x$",
    f"alter role {LOCAL} set work_mem = $x$5MB$x$",
    f"alter role {Login.BLUE.role} superuser",
    "alter system set work_mem = $x$5MB$x$",
    f"copy (select 1) to program $x$touch {FILE}$x$",
    f"copy (select 1) to $x${FILE}$x$",
    "select pg_read_file($x$/etc/passwd$x$)",
    "create table public.planted_row (n int)",
)
WITNESS = f"""
create schema planted;
create function planted.gains() returns void language plpgsql as $$
declare one text;
begin
  foreach one in array array[{", ".join(f"'{one}'" for one in TRIES)}] loop
    begin execute one; exception when others then null; end;
  end loop;
end $$;
create function planted.ran(what text) returns boolean language plpgsql volatile as $$
begin
  if session_user::text in ('{Login.BLUE.role}', '{Login.GREEN.role}') then return true; end if;
  raise log 'planted % ran as % (superuser %)', what, session_user,
    (select rolsuper from pg_catalog.pg_roles where rolname = session_user);
  perform planted.gains();
  return true;
end $$;
"""  # noqa: S608 - constants
TABLES = ("cluster_metadata_info", "cluster_membership", "shards", "namespaces", "task_queues", "tasks")
RAN = re.compile(r"planted (\S+) ran as (\S+) \(superuser (\w+)\)")
ROLES = (
    "select rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin,"
    " rolconfig, (select array_agg(m.roleid::regrole::text order by 1) from pg_auth_members m"
    "  where m.member = r.oid)"
    " from pg_roles r order by 1"
)


@dataclass
class Database:
    """The database of a cluster, as who has a login's password sees it, and as the superuser does."""

    host: Host
    lab: Lab
    since: float = field(default_factory=time.time)

    @property
    def container(self) -> str:
        return str(containers(self.lab, self.host.name)["postgresql"]["Id"])

    def superuser(self, statement: str) -> list[str]:
        words = ["docker", "exec", self.container, "psql", "-XqAtU", "postgres", "-c", statement]
        return self.host.must(words).splitlines()

    def owner(self, text: str, database: str = "temporal") -> None:
        words = ["docker", "exec", "-i", self.container, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
        head = f"set session authorization {Login.BLUE.role}; set role temporal;\n"
        self.host.must([*words, "-U", "postgres", "-d", database, "-f", "-"], input=head + text)

    def ran(self) -> dict[str, set[tuple[str, str]]]:
        """What was planted and ran -> by whom, and whether that was a superuser."""
        found: dict[str, set[tuple[str, str]]] = {}
        since = f"{time.time() - self.since + 1:.0f}s"
        done = self.host.exec(["docker", "logs", "--since", since, self.container])
        for what, who, superuser in RAN.findall(done.stdout + done.stderr):
            found.setdefault(what, set()).add((who, superuser))
        return found

    def rights(self) -> list[str]:
        """Who may what, and what the server was told beside its files."""
        passwords = "select rolname from pg_authid where rolpassword <> '' order by 1"
        told = "select name, setting from pg_file_settings where sourcefile like '%auto.conf'"
        return [*self.superuser(ROLES), *self.superuser(passwords), *self.superuser(told)]

    def nobody_gained(self, before: list[str], *, ran: set[str]) -> None:
        """All that was to run did, as our own login alone, and nothing came of it."""
        found = self.ran()
        assert set(found) >= ran
        assert {one for by in found.values() for one in by} <= {(LOCAL, "f")}
        assert self.rights() == before
        assert self.host.exec(["docker", "exec", self.container, "ls", FILE]).returncode != 0
        planted = "select relname from pg_class where relname = 'planted_row'"
        words = ["docker", "exec", self.container, "psql", "-XqAtU", LOCAL, "-d", "temporal", "-c", planted]
        assert self.host.must(words).strip() == ""


@pytest.fixture
def database(cluster: Inventory, lab: Lab) -> Iterator[Database]:
    found = Database(lab.host(store(load(cluster.path)).writer.name), lab)
    found.owner(WITNESS)
    yield found
    found.owner("drop schema planted cascade")


def view(table: str) -> str:
    """A view that the services can read and write like the table takes its place."""
    return f"""alter table public.{table} rename to {table}_kept;
create view public.{table} as select * from public.{table}_kept where planted.ran('{table}');
"""  # noqa: S608  # the test's own words


def back(table: str) -> str:
    return f"drop view public.{table}; alter table public.{table}_kept rename to {table};\n"


@pytest.fixture
def views(database: Database) -> Iterator[Database]:
    database.owner("".join(map(view, TABLES)))
    yield database
    database.owner("".join(map(back, TABLES)))


NOT_TEMPORALS = "temporal answers, but not from Temporal's tables"


def test_views_in_place_of_tables_are_said_and_run_by_nobody_of_ours(
    cluster: Inventory, views: Database
) -> None:
    before = views.rights()
    plan = cluster.run("plan", "--detailed-exitcode")
    assert plan.code == 0, plan.said
    assert (
        "temporal answers, but not from Temporal's tables: public.cluster_metadata_info: it is no table"
        in (" ".join(plan.said.split()))
    )
    check = cluster.run("check-host", "--quick", "--host", views.host.name, "--format", "json")
    found = {one["id"]: one["outcome"] for one in json.loads(check.out)["hosts"][0]["findings"]}
    for name in ("temporal.members", "temporal.shards", "temporal.backlog"):
        assert found[name] == "unknown"
    assert "postgres.logins" in found
    assert views.ran() == {}
    views.nobody_gained(before, ran=set())


def test_maintenance_ends_before_it_begins_where_tables_are_none(cluster: Inventory, views: Database) -> None:
    before = views.rights()
    up = containers(views.lab, views.host.name)
    ran = cluster.run("maintain", views.host.name, "--run", "true")
    assert ran.code == 1
    assert "public.cluster_membership: it is no table" in ran.said
    assert {one["Id"] for one in containers(views.lab, views.host.name).values()} == {
        one["Id"] for one in up.values()
    }
    views.nobody_gained(before, ran=set())


METADATA = "public.cluster_metadata_info"
FOLDED = """create function planted.folded(int) returns int language plpgsql immutable as $$ begin
 perform planted.ran('folded'); return 1; end $$;"""  # planning runs it: of a constant it is one
CHANGED = {
    "a rule": (
        "create rule planted as on insert to TABLE where planted.ran('rule') do also nothing;",
        "drop rule planted on TABLE;",
        "it has rules",
    ),
    "a row policy": (
        """alter table TABLE enable row level security;
        create policy planted on TABLE using (planted.ran('policy'));""",
        "drop policy planted on TABLE; alter table TABLE disable row level security;",
        "it has row policies",
    ),
    "rows of another table": (
        "create table planted.more () inherits (TABLE);",
        "drop table planted.more;",
        "rows of another one are among its own",
    ),
    "a type of its own": (
        """create domain planted.bytes as bytea check (planted.ran('domain'));
        alter table TABLE add column more planted.bytes;""",
        "alter table TABLE drop column more;",
        "its column more has a type that the server does not bring",
    ),
    "an index that calls": (
        f"{FOLDED} create index planted_idx on TABLE ((planted.folded(1) + version));",
        "drop function planted.folded cascade;",
        "an index of it calls what the server does not bring",
    ),
    "a part of it": (
        f"{FOLDED} create index planted_idx on TABLE (version) where planted.folded(1) = version;",
        "drop function planted.folded cascade;",
        "an index of it calls what the server does not bring",
    ),
    "statistics that call": (
        f"{FOLDED} create statistics planted.stats on (planted.folded(1) + version) from TABLE;",
        "drop function planted.folded cascade;",
        "a statistics object of it calls what the server does not bring",
    ),
    "a constraint that calls": (
        f"""{FOLDED} alter table TABLE add constraint planted check (version > planted.folded(1) - 9);
        alter database temporal set constraint_exclusion = on;""",
        "alter database temporal reset constraint_exclusion; drop function planted.folded cascade;",
        "a constraint of it calls what the server does not bring",
    ),
}


@pytest.mark.parametrize("how", CHANGED)
def test_a_table_that_runs_or_shows_what_somebody_wrote_is_said(
    cluster: Inventory, database: Database, how: str
) -> None:
    plant, heal, says = (one.replace("TABLE", METADATA) for one in CHANGED[how])
    before = database.rights()
    database.owner(plant)
    try:
        plan = cluster.run("plan", "--detailed-exitcode")
        said = " ".join(plan.said.split())
        assert plan.code == 0, said
        assert f"{NOT_TEMPORALS}: {METADATA}: {says}" in said
    finally:
        database.owner(heal)
    assert NOT_TEMPORALS not in " ".join(cluster.run("plan").said.split())
    database.nobody_gained(before, ran=set())


SHADOWS = """
create function planted.shadow() returns int language sql as $$ select 1 where planted.ran('shadow') $$;
create function public.position(bytea, bytea) returns int language sql as $$ select planted.shadow() $$;
create function public.left(text, int) returns text language sql as $$ select planted.shadow()::text $$;
create function public.encode(bytea, text) returns text language sql as $$ select planted.shadow()::text $$;
create function public.json_agg(record) returns json language plpgsql as $$ begin return '[]'; end $$;
create function planted.same(text, text) returns boolean language sql as $$ select planted.ran('operator') $$;
create operator public.= (leftarg = text, rightarg = text, function = planted.same);
create operator public.|| (leftarg = text, rightarg = text, function = planted.joined);
alter database temporal set search_path = public, planted, pg_catalog;
alter database temporal set role = none;
"""


def test_what_the_search_path_would_find_is_not_found(cluster: Inventory, database: Database) -> None:
    joined = "create function planted.joined(text, text) returns text language sql as $$ select $1 $$;"
    before = database.rights()
    database.owner(joined + SHADOWS)
    try:
        plan = cluster.run("plan", "--detailed-exitcode")
        assert plan.code == 0, plan.said
        assert "not compared" not in plan.said
        assert database.ran() == {}
    finally:
        database.owner(
            "alter database temporal reset search_path; alter database temporal reset role;"
            " drop operator public.= (text, text); drop operator public.|| (text, text);"
            " drop function public.position(bytea, bytea), public.left(text, int),"
            " public.encode(bytea, text), public.json_agg(record);"
        )
    database.nobody_gained(before, ran=set())


def test_settings_that_keep_everybody_out_do_not_keep_us_out(cluster: Inventory, database: Database) -> None:
    """Whoever owns a database may set things for it; what comes with our connection wins."""
    settings = ("local_preload_libraries = 'missing'", "default_transaction_read_only = on",
                "statement_timeout = 1", "transaction_timeout = 1", "role = none")  # fmt: skip
    database.owner("".join(f"alter database temporal set {one};" for one in settings))
    try:
        plan = cluster.run("plan", "--detailed-exitcode")
        said = " ".join(plan.said.split())
        assert (plan.code, "not compared" in said) == (0, False), said
        for one in settings:
            name = one.partition(" ")[0]
            assert f"(in the database postgres: ALTER DATABASE temporal RESET {name})" in said
        assert "temporal_local" not in said, "what provision sets for our own login is nobody else's"
    finally:
        database.superuser("alter database temporal reset all")
