"""A host that vanishes without a word: no FIN, no RST. Its locks in the database are free soon, and who can't
reach the database any more is back as soon as it can.

They need an inventory whose database and one history service are on two hosts.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from lab import faults
from lab.hosts import Host, Lab
from tempo_infra.components import port
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.topology import store
from tests.lab.conftest import Inventory, containers

pytestmark = pytest.mark.faults
NAME = "vanishes"  # of the session, in the database
# Two ways to be silent: the server waits for the next statement, or for what it sent to be taken.
IDLE = "begin; select shard_id from shards order by shard_id limit 1 for update;"
SENDING = IDLE + " copy (select repeat('x', 1000000) from generate_series(1, 200)) to stdout;"  # noqa: S608  # the test's own words
SECRETS, CLIENT = "/var/lib/tempo-infra/secrets", "tempo-lab-vanishing"
# The server's own defaults take two hours and a quarter of an hour; longer than a minute is of no use.
SOON_S = 30.0
DARK_S = 40.0


class Two:
    """The database's host, and another one with a history service."""

    def __init__(self, lab: Lab, inventory: Inventory) -> None:
        self.lab, self.cluster = lab, load(inventory.path)
        self.database = lab.host(store(self.cluster).writer.name)
        others = [host.name for host in self.cluster.with_role(Role.HISTORY)]
        self.other = lab.host(next(name for name in others if name != self.database.name))

    def psql(self, statement: str) -> str:
        container = containers(self.lab, self.database.name)["postgresql"]["Id"]
        words = ["docker", "exec", container, "psql", "-XqAtU", "postgres", "-d", "temporal", "-c", statement]
        return self.database.must(words).strip()

    def sessions(self, which: str) -> int:
        return int(self.psql(f"select count(*) from pg_stat_activity where {which}"))  # noqa: S608  # the test's own words

    @contextmanager
    def session(self, statements: str) -> Iterator[None]:
        """A session from the other host whose transaction stays open, and whose answers are not all read."""
        image = containers(self.lab, self.database.name)["postgresql"]["Config"]["Image"]
        login = self.cluster.secrets.login
        to = (
            f"host={self.database.internal_address} dbname=temporal user={login.role} application_name={NAME}"
        )
        script = (
            f"export PGPASSWORD=$(cat /secrets/db_password); (echo {shlex.quote(statements)}; sleep 600) "
            f"| psql -XqAt {shlex.quote(to)} | sleep 600"
        )
        mount = f"type=bind,source={SECRETS}/{login.reader},target=/secrets,readonly"
        user = containers(self.lab, self.other.name)["history"]["Config"]["User"]
        words = ["docker", "run", "-d", "--rm", "--init", "--name", CLIENT, "--user", user, "--mount", mount]
        self.other.must([*words, "--entrypoint", "sh", image, "-c", script], timeout=180)
        try:
            until(lambda: self.sessions(OURS) == 1)
            time.sleep(2)
            yield
        finally:
            self.other.exec(["docker", "rm", "-f", CLIENT])


OURS = f"application_name = '{NAME}'"


def until(come: Callable[[], bool], within_s: float = 60.0) -> float:
    """Return the seconds that it took."""
    begun = time.monotonic()
    while not come():
        assert time.monotonic() - begun < within_s, f"not within {within_s:g} s"
        time.sleep(0.5)
    return time.monotonic() - begun


@pytest.fixture
def two(cluster: Inventory, lab: Lab) -> Two:
    return Two(lab, cluster)


@pytest.mark.parametrize("statements", [IDLE, SENDING], ids=["idle", "sending"])
def test_the_locks_of_a_host_that_vanished_are_free_soon(two: Two, statements: str) -> None:
    with two.session(statements), faults.vanished(two.other, two.database):
        took = until(lambda: two.sessions(OURS) == 0, SOON_S)
        free = f"set lock_timeout = '5s'; {IDLE.replace('begin; ', '')}"
        assert two.psql(free) == "1"
    assert took > 1, "it was not the silence that ended it"


@contextmanager
def answered(database: Host, other: Host, *how: str) -> Iterator[None]:
    """Packets from there to the database are dropped, or answered in another way than by it."""
    rule = [
        "FORWARD",
        "-s",
        other.internal_address,
        "-p",
        "tcp",
        "--dport",
        str(port("postgresql", "sql")),
        "-j",
        *how,
    ]
    database.must(["iptables", "-w", "-I", *rule])
    try:
        yield
    finally:
        database.exec(["iptables", "-w", "-D", *rule])


def test_temporal_is_back_soon_after_a_silent_database_is(two: Two) -> None:
    """A pool is opened anew while nothing answers: without an end of its own the attempt would last on."""
    with ExitStack() as dark:
        with answered(two.database, two.other, "REJECT", "--reject-with", "tcp-reset"):
            time.sleep(3)  # every pool has lost its connections, and asks once a second for new ones
            dark.enter_context(answered(two.database, two.other, "DROP"))
        time.sleep(DARK_S)
        since = two.psql("select now()")
    anew = f"client_addr = '{two.other.internal_address}' and backend_start > '{since}'"
    assert until(lambda: two.sessions(anew) > 0) < DARK_S / 3
