"""Whoever has the database's password plants code where tempo-infra reads: it runs, and nobody gains by it.

What is planted says into the server's log who ran it, then tries to become more. The cluster works on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.logins import LOCAL, Login
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
    found = Database(lab.host(load(cluster.path).database_host.name), lab)
    found.owner(WITNESS)
    yield found
    found.owner("drop schema planted cascade")


def view(table: str) -> str:
    """A view that the services can read and write like the table takes its place."""
    return f"""alter table public.{table} rename to {table}_kept;
create view public.{table} as select * from public.{table}_kept where planted.ran('{table}');
"""  # noqa: S608


def back(table: str) -> str:
    return f"drop view public.{table}; alter table public.{table}_kept rename to {table};\n"


@pytest.fixture
def views(database: Database) -> Iterator[Database]:
    database.owner("".join(map(view, TABLES)))
    yield database
    database.owner("".join(map(back, TABLES)))


def test_views_in_place_of_tables_run_as_nobody_with_more(cluster: Inventory, views: Database) -> None:
    before = views.rights()
    plan = cluster.run("plan", "--detailed-exitcode")
    assert plan.code == 0, plan.said
    assert set(views.ran()) == {"cluster_metadata_info", "namespaces"}
    check = cluster.run("check-host", "--quick", "--host", views.host.name, "--format", "json")
    for said in ('"temporal.members"', '"temporal.shards"', '"temporal.backlog"', '"postgres.logins"'):
        assert said in check.out
    views.nobody_gained(
        before, ran={"cluster_membership", "cluster_metadata_info", "namespaces", "task_queues"}
    )


@pytest.mark.faults
def test_nobody_gains_by_maintenance(brisk: Inventory, views: Database) -> None:
    before = views.rights()
    ran = brisk.run("maintain", views.host.name, "--run", "true")
    assert ran.code == 0, ran.said
    views.nobody_gained(before, ran={"cluster_membership", "shards"})
