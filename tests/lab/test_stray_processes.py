"""What others leave in PostgreSQL's container is no crash of PostgreSQL, and what we start in there ends."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.hosts import Host, Lab
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.on_host.steps import change
from tempo_infra.render import parse, render
from tempo_infra.sizing import size
from tempo_infra.topology import store
from tests.lab.conftest import Inventory, containers

# The parent ends first, so process 1 has the child to bury: one that fails, one that is killed.
FAILS = "(sleep 0.5; exit 2) & exit 0"
KILLED = "(sleep 30 & echo $! >/tmp/stray; wait) & sleep 0.5; kill -9 $! $(cat /tmp/stray)"
STRAYS = (FAILS, KILLED)
AGE = "select backend_start from pg_stat_activity where backend_type = 'checkpointer'"
ENOUGH_S = 3.0


def psql(host: Host, container: str, statement: str) -> str:
    return host.must(["docker", "exec", container, "psql", "-XqAtU", "postgres", "-c", statement]).strip()


def plant_strays(host: Host, container: str) -> bool:
    """Whether PostgreSQL went through crash recovery because of them: all of its processes are new then."""
    before = psql(host, container, AGE)
    for one in STRAYS:
        host.must(["docker", "exec", container, "sh", "-c", one])
    time.sleep(ENOUGH_S)
    for _ in range(20):  # while it recovers it answers nobody
        told = host.exec(["docker", "exec", container, "psql", "-XqAtU", "postgres", "-c", AGE])
        if told.returncode == 0:
            return told.stdout.strip() != before
        time.sleep(0.5)
    raise AssertionError(told.stderr)


@pytest.fixture
def database(cluster: Inventory, lab: Lab) -> Host:
    return lab.host(store(load(cluster.path)).writer.name)


def test_strays_in_its_container_do_not_disturb_postgresql(database: Host, lab: Lab) -> None:
    container = containers(lab, database.name)["postgresql"]["Id"]
    assert not plant_strays(database, container)
    assert "terminating any other active server processes" not in database.must(
        ["docker", "logs", "--since", "1m", container]
    )


def throwaway(host: Host, lab: Lab, *words: str, options: tuple[str, ...] = ()) -> str:
    """Another PostgreSQL of the cluster's image on that host, once it answers."""
    image = containers(lab, host.name)["postgresql"]["Config"]["Image"]
    tmpfs = ["--tmpfs", "/var/lib/postgresql/data:uid=999,mode=0700", "--user", "999:999"]
    started = ["docker", "run", "-d", "--rm", *tmpfs, *words, "-e", "POSTGRES_PASSWORD=x", image, *options]
    container = host.must(started).strip()
    for _ in range(120):
        asked = host.exec(["docker", "exec", container, "cat", "/var/lib/postgresql/data/postmaster.pid"])
        # Its last line; "*" or an address in the sixth: not the server of the set-up.
        lines = [line.strip() for line in asked.stdout.splitlines()]
        if lines[-1:] == ["ready"] and (lines[5] or options):
            return container
        time.sleep(0.25)
    raise AssertionError(host.exec(["docker", "logs", container]))


@pytest.mark.parametrize(("words", "crashes"), [((), True), (("--init",), False)])
def test_it_is_the_init_that_makes_the_difference(
    database: Host, lab: Lab, words: tuple[str, ...], *, crashes: bool
) -> None:
    container = throwaway(database, lab, *words)
    try:
        assert plant_strays(database, container) is crashes
    finally:
        database.must(["docker", "rm", "-f", "-v", container])


def test_the_health_check_fails_on_the_server_of_the_first_set_up(
    database: Host, lab: Lab, cluster: Inventory
) -> None:
    """That server answers on its socket, and is gone a moment later."""
    found = load(cluster.path)
    bundle = next(one for one in render(found, size(found)) if one.host == database.name)
    compose: Any = parse.yaml(bundle.file("docker-compose.yml").content.decode())
    kind, *check = compose["services"]["postgresql"]["healthcheck"]["test"]
    assert kind == "CMD"
    container = throwaway(database, lab, options=("-c", "listen_addresses="))
    try:
        assert psql(database, container, "select 1") == "1"
        assert database.exec(["docker", "exec", container, *check]).returncode != 0
    finally:
        database.must(["docker", "rm", "-f", "-v", container])
    assert database.exec(["docker", "exec", ours(lab, database), *check]).returncode == 0


def ours(lab: Lab, host: Host) -> str:
    return str(containers(lab, host.name)["postgresql"]["Id"])


LOCKED = "begin; lock table public.cluster_membership in access exclusive mode; select pg_sleep(20); rollback"
CHANGE = b"alter table public.cluster_membership set (fillfactor = 90)"  # of a test's own, waits for the lock
LEFT = (
    "select count(*) from pg_stat_activity where query like 'alter table public.cluster_membership%'"
    " and pid <> pg_backend_pid()"
)
OPTIONS = "select coalesce(reloptions::text, '') from pg_class where relname = 'cluster_membership'"


def test_what_is_past_its_deadline_changes_nothing_later(
    cluster: Inventory, database: Host, lab: Lab
) -> None:
    """Neither psql nor the server goes on with a statement that waits for a lock when nobody waits for it."""
    container = ours(lab, database)
    before = temporal(database, container, OPTIONS)
    holder = ["docker", "exec", "-d", container, "psql", "-XqU", "postgres", "-d", "temporal", "-c", LOCKED]
    database.must(holder)
    time.sleep(1)
    found = load(cluster.path)
    step = change.Sql(database="temporal", deadline_s=3.0, payload=CHANGE)
    with Fleet(lambda host: open_session(host, Sudo()), lambda _: None) as fleet:
        errors = fleet.do({database.name: [step]}, [found.host(database.name)])
    ends = ("lock timeout", "statement timeout", "no answer in 3 s")
    assert any(end in str(errors[database.name]) for end in ends), errors
    time.sleep(1)
    assert temporal(database, container, LEFT) == "0"
    assert database.exec(["docker", "exec", container, "pgrep", "-x", "psql", "-c"]).stdout.strip() in (
        "",
        "1",
    )
    time.sleep(20)
    assert temporal(database, container, OPTIONS) == before


def temporal(host: Host, container: str, statement: str) -> str:
    words = ["docker", "exec", container, "psql", "-XqAtU", "postgres", "-d", "temporal", "-c", statement]
    return host.must(words).strip()
