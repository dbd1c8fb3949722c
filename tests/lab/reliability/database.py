"""A host with a database, under writes: what was committed is there, whatever happens."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from lab.paths import CHECKOUT
from lab.relay import Relay
from tests.lab import invariants
from tests.lab.conftest import Ran
from tests.lab.reliability import broken
from tests.lab.reliability.bed import Change
from tests.lab.reliability.case import OLD, Case, Scene
from tests.lab.reliability.machine import entry
from tests.lab.reliability.watch import Moment

# Prints a line for each row that the database said is committed; goes on through restarts. The line is psql's
# own, once the statement is complete: how `docker exec` ends is the engine's word, not the database's, and
# what the engine says of a program that it could not begin ("OCI runtime exec failed") is on the same stream.
COMMITTED = "committed"
INSERT = "insert into marker default values returning 'committed'"
WRITES = f"""
one() {{ docker exec $(docker ps -q -f label=com.docker.compose.service=postgresql) \
  psql -XqAtU postgres -c "{INSERT}" 2>/dev/null || sleep 0.2; }}
while :; do one; done
"""
NO_WRITES = "pkill -f 'while :[;] do one'; pkill -f '[p]sql -XqAtU postgres -c insert'; :"  # never itself
DATA = "/srv/tempo/postgres"


@contextmanager
def writes(scene: Scene) -> Iterator[None]:
    """Rows are written while the block goes on; each one that was committed must be there after it."""
    words = entry(scene.bed.host, ["sh", "-c", WRITES])
    writer = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    committed: list[str] = []

    def count() -> None:
        assert writer.stdout is not None
        committed.extend(line for line in writer.stdout if line.strip() == COMMITTED)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        scene.bed.host.exec(["sh", "-c", NO_WRITES])
        writer.terminate()
        thread.join()
        writer.wait()
        assert writer.stdout is not None
        writer.stdout.close()
        assert scene.bed.rows is not None
        assert committed, "nothing was written"
        scene.bed.rows += len(committed)


def power_cut(moment: Moment, scene: Scene) -> Ran:
    with writes(scene):
        return scene.at(moment, lambda _: scene.bed.host.power_cut())


def killed(moment: Moment, scene: Scene) -> Ran:
    with writes(scene):
        return scene.at(moment, lambda operator: operator.send_signal(signal.SIGKILL))


def process_killed(moment: Moment, scene: Scene) -> Ran:
    words = "systemctl kill -s KILL 'tempo-infra-run-*.scope'"
    with writes(scene):
        return scene.at(moment, lambda _: scene.bed.host.must(["sh", "-c", words]))


def link_cut(moment: Moment, scene: Scene) -> Ran:
    with Relay(scene.bed.host.ssh_address, scene.bed.host.ssh_port) as relay, writes(scene):
        return scene.at(moment, lambda _: relay.break_all(), relay)


def plain(scene: Scene) -> Ran:
    return scene.provision()


def untouched(scene: Scene) -> Ran:
    """Refused before the database would notice: it is the same process after it."""
    before = started(scene)
    ran = scene.provision()
    assert started(scene) == before
    return ran


def started(scene: Scene) -> str:
    found = invariants.containers(scene.bed.look())["postgresql"]["State"]["StartedAt"]
    return str(found)


def data_gone(scene: Scene) -> Ran:
    """The volume is not mounted: an empty folder lies where the data was."""
    host = scene.bed.host
    host.must(["sh", "-c", f"mount -t tmpfs -o mode=0755 tmpfs {DATA}"])
    try:
        return scene.provision()
    finally:
        host.must(["umount", "-l", DATA])


def fsync_fails(scene: Scene) -> Ran:
    """The new container's fsync fails once it answers: PostgreSQL ends with PANIC, again and again."""
    script = "docker exec -i {id} sh -c 'echo eio > /tmp/slow-fsync-ms'"
    label = "label=com.docker.compose.service=postgresql"

    def fail(_: object) -> None:
        id_ = scene.bed.host.must(["docker", "ps", "-q", "-f", label]).strip()
        scene.bed.host.must(["sh", "-c", script.format(id=id_)])

    return scene.at(Moment("postgres-ready"), fail)


def wants_what_is_not_there() -> Change:
    """PostgreSQL's own check takes it: the library is looked for at the start only."""
    path = "services/postgresql/postgresql.conf.j2"
    text = (CHECKOUT / "templates" / path).read_text()
    return Change.new(templates=((path, f"{text}\nshared_preload_libraries = 'no_such_library'\n"),))


def with_shim() -> Change:
    text = (CHECKOUT / "templates" / "docker-compose.yml.j2").read_text()
    changed = text.replace(
        "      POSTGRES_USER: postgres\n", '      POSTGRES_USER: postgres\n      LAB_SLOW_FSYNC: "1"\n'
    )
    assert changed != text
    return Change.new(templates=(("docker-compose.yml.j2", changed),))


def cases() -> list[Case]:
    old, failed, cut = frozenset({OLD}), frozenset({1}), frozenset({1, 3})
    other = partial(
        Change.new, more=((r"version: 17\n", "version: 16\n"), ("postgres:17: sha", "postgres:16: sha"))
    )
    schema = Moment("schema")
    history = partial(Change.new, templates=broken.history_ends_at_once())
    found = [
        Case(
            "power cut, rows written",
            str(moment),
            partial(power_cut, moment),
            old,
            cut,
            boots=True,
        )
        for moment in (Moment("switch"), Moment("postgres-ready"), Moment("serving"))
    ]
    found += [
        Case("operator SIGKILL, rows written", str(Moment("up")), partial(killed, Moment("up"))),
        Case("connection reset, rows written", str(Moment("serving")), partial(link_cut, Moment("serving"))),
        Case("run's process killed, rows written", str(schema), partial(process_killed, schema),
             codes=frozenset({3})),
        Case("history ends at once", "serving", plain, old, failed, change=history, after=Change.new(),
             says="ended 5 times"),
        Case("PostgreSQL does not start with its settings", "trial start", untouched, old, failed,
             change=wants_what_is_not_there, after=Change.new(), says="PostgreSQL does not start"),
        Case("PostgreSQL of another major version", "plan", untouched, old, failed,
             change=other, after=Change.new(), says="the data directory is PostgreSQL 17's"),
        Case("data folder is another, empty one", "plan", data_gone, old, failed),
        Case("fsync fails (EIO) in PostgreSQL", str(Moment("postgres-ready")), fsync_fails, old, failed,
             change=with_shim, after=Change.new()),
    ]  # fmt: skip
    return [replace(case, bed="full") for case in found]
