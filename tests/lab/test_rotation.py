"""Another database password: nothing stops working, whenever the change is cut off; the old one ends.

All on one cluster, which goes from one login to the other and back; about eight minutes.
"""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab.hosts import Host, Lab
from tempo_infra.deploy.database_roles import retired_roles, retirement
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.inspect import Supply
from tempo_infra.deploy.options import Options
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.errors import StepFailedError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.inventory.logins import OWNER, Login
from tempo_infra.on_host.steps import change
from tempo_infra.render import render
from tempo_infra.render.bundle import Bundle, File
from tempo_infra.secrets import Secret, SecretStore, scram_sha_256
from tempo_infra.sizing import size
from tempo_infra.topology import instances, store
from tests.lab import invariants
from tests.lab.conftest import BRISK, Inventory, Ran, containers
from tests.lab.moments import begun, decided, ended, file_changes, journal_says, reached

pytestmark = pytest.mark.faults

STATE = "/var/lib/tempo-infra"
USERS = "select usename from pg_stat_activity where usename like 'temporal%' group by 1 order by 1"
CAN = "select rolname from pg_authid where rolcanlogin and rolpassword is not null order by 1"
TRIED = f"{STATE}/secrets/tried"


class Bed:
    """A cluster, and an inventory and a secrets file of its own that a rotation may change."""

    def __init__(self, lab: Lab, inventory: Inventory) -> None:
        self.lab, self.inventory = lab, inventory

    @property
    def cluster(self) -> Cluster:
        return load(self.inventory.path)

    @property
    def login(self) -> Login:
        """The one in use, or that a rotation goes to."""
        return self.cluster.secrets.login

    @property
    def database(self) -> Host:
        return self.lab.host(store(self.cluster).writer.name)

    @property
    def history(self) -> Host:
        return self.lab.host(instances(self.cluster, Role.HISTORY)[-1].host.name)

    @property
    def front(self) -> Host:
        return self.lab.host(instances(self.cluster, Role.FRONTEND)[0].host.name)

    def sql(self, statement: str) -> list[str]:
        label = "label=com.docker.compose.service=postgresql"
        id_ = self.database.must(["docker", "ps", "-q", "-f", label]).strip()
        words = ["docker", "exec", id_, "psql", "-XqAtU", "postgres", "-c", statement]
        return self.database.must(words).split()

    def secrets(self) -> dict[str, Secret]:
        return dict(SecretStore.open(self.cluster.secrets).read())

    def whole(self, *, settled: bool = True) -> None:
        """Insist that every host has decided and is whole."""
        for host in self.lab.hosts:
            decided(host)
        for host in self.lab.hosts:
            assert invariants.problems(host.container, settled=settled) == [], host.name

    def works(self) -> None:
        ran = self.inventory.run("smoke", "--workflows", "8")
        assert ran.code == 0, ran.said

    def rotate(self, *words: str) -> Ran:
        ran = self.inventory.run("secrets rotate", *words)
        assert ran.code == 0, ran.said
        return ran

    def retired(self, login: Login) -> bool:
        """Only this login is left: in the database, in the secrets file and on every host."""
        folders = {name for host in self.lab.hosts for name in host.must(["ls", f"{STATE}/secrets"]).split()}
        return (self.sql(CAN), set(self.secrets()), folders) == ([login.role], {login.secret}, {login.reader})


@pytest.fixture(scope="module")
def one(lab: Lab, inventory: Inventory, fresh: Ran) -> Iterator[Bed]:
    """The shared cluster under an inventory of this module's own; afterwards it is recreated."""
    del fresh
    path = inventory.path.with_name("inventory-rotation.yaml")
    secrets = path.with_name("secrets-rotation.age")
    secrets.write_bytes(load(inventory.path).secrets.path.read_bytes())
    text = re.sub(r"(?m)^secrets:.*\n(?:  .*\n)*", "", inventory.path.read_text())
    path.write_text(re.sub(*BRISK, text) + f"\nsecrets:\n  file: {secrets.name}\n")
    yield Bed(lab, Inventory(path))
    for file in (path, secrets):
        file.unlink()
    lab.reset()
    inventory.provision()


@pytest.fixture
def bed(one: Bed) -> Bed:
    """On one login; a test before may have left two."""
    for host in one.lab.hosts:
        decided(host)
    if len(one.secrets()) > 1 or not one.retired(one.login):
        one.rotate()
    return one


def login(bed: Bed, one: Login, password: str) -> None:
    """Try a password over the network from a history host. StepFailedError when the server refuses it."""
    bed.history.must(["install", "-d", "-m", "700", TRIED])
    bed.history.exec(["tee", f"{TRIED}/it"], input=password)
    server = store(bed.cluster).writer.internal
    step = change.Login(server, 5432, "temporal", role=one.role, acts_as=OWNER, file="tried/it")
    try:
        with open_session(bed.cluster.host(bed.history.name), Sudo()) as session:
            session.call([step])
    finally:
        bed.history.must(["rm", "-r", TRIED])


def seen(lab: Lab, host: Host, password: str, said: str) -> list[str]:
    """Where a password is found, in the forms in which it could leak: on the host, and in what was said."""
    plain = password.encode()
    marks = [password, base64.b64encode(plain).decode(), urllib.parse.quote(password), plain.hex()]
    folders = [STATE, "/etc", "/tmp", "/var/tmp", "/root", "/home"]
    found = host.exec(["grep", "-rlsF", "-f", "-", *folders], input="\n".join(marks)).stdout.split()
    processes = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    texts = {
        "output": said,
        "journal": host.must(["journalctl", "-o", "cat", "--no-pager"]),
        "processes": host.must(["sh", "-c", processes]),
        "containers": json.dumps(containers(lab, host.name)),
        "logs": host.must(["sh", "-c", "for c in $(docker ps -q); do docker logs $c 2>&1; done"]),
    }
    assert all(texts.values())
    return found + [name for name, text in texts.items() if any(mark in text for mark in marks)]


def test_a_rotation_moves_every_service_and_ends_the_old_login(bed: Bed) -> None:
    old, new = bed.login, bed.login.other
    before = bed.secrets()[old.secret]
    login(bed, old, before.value)
    started = containers(bed.lab, bed.database.name)["postgresql"]["State"]["StartedAt"]
    ran = bed.rotate()
    assert f"the services log in as {new.role}; no other login works any more" in ran.out
    assert bed.sql(USERS) == [new.role]
    assert bed.retired(new)
    now = containers(bed.lab, bed.database.name)["postgresql"]["State"]["StartedAt"]
    assert now == started  # the database went on
    with pytest.raises(StepFailedError, match=r"is not permitted to log in|authentication failed"):
        login(bed, old, before.value)
    after = bed.secrets()[new.secret]
    for host in bed.lab.hosts:
        assert seen(bed.lab, host, before.value, ran.said) == []
        assert seen(bed.lab, host, after.value, ran.said) == [f"{STATE}/secrets/{new.reader}/db_password"]
    refused = bed.inventory.run("rollback")
    assert refused.code == 1
    assert "which a rotation of the password took away" in refused.said
    bed.whole()
    bed.works()


def test_a_session_from_while_the_old_login_is_retired_ends_with_it(bed: Bed) -> None:
    """It begins after it was seen that nobody uses the old login any more, and before that may not log in."""
    old, new = bed.login, bed.login.other
    password = bed.secrets()[old.secret].value
    bed.rotate("--keep-old")
    stays = ["psql", "-h", store(bed.cluster).writer.internal, "-U", old.role, "-d", "temporal"]
    container = containers(bed.lab, bed.database.name)["postgresql"]["Id"]
    into = ["docker", "exec", "-d", "-e", f"PGPASSWORD={password}", container]
    bed.database.must([*into, *stays, "-c", "select pg_sleep(600)"])
    both = sorted([old.role, new.role])
    while bed.sql(USERS) != both:  # the test's own time limit ends it
        time.sleep(0.2)
    with open_session(bed.cluster.host(bed.database.name), Sudo()) as session:
        session.call([change.Sql(payload=retirement(retired_roles(new)).encode())])
    assert bed.sql(USERS) == [new.role]
    assert f"the services log in as {new.role}; no other login works any more" in bed.rotate().out


# Each comes in what is left to do after a kill at the ones before: a host ends the request that it is in.
MOMENTS: dict[str, Callable[[Bed], Callable[[], bool]]] = {
    "the inventory is changed": lambda bed: file_changes(bed.inventory.path),
    "the password is made": lambda bed: file_changes(bed.cluster.secrets.path),
    "the login is made": lambda bed: journal_says(bed.database, "sql"),
    "the login was tried": lambda bed: journal_says(bed.history, "login"),
    "services are switched": lambda bed: journal_says(bed.front, "switch"),
    "the old login is unused": lambda bed: journal_says(bed.database, "unused"),
    "a host has forgotten it": lambda bed: journal_says(bed.history, "forget"),
}
MIXED = "the login was tried"  # then history is on the new login, and the frontend on the old one


def test_killed_at_each_step_again_and_again_the_cluster_works_and_the_same_command_ends_it(bed: Bed) -> None:
    old, new = bed.login, bed.login.other
    for moment, comes in MOMENTS.items():
        come = comes(bed)
        process = begun(bed.inventory, "secrets rotate")
        reached(process, come)
        process.kill()
        ended(process)
        bed.whole(settled=False)
        if moment == MIXED:
            assert bed.sql(USERS) == sorted([old.role, new.role])
            bed.works()
    bed.rotate()
    assert bed.sql(USERS) == [new.role]
    assert bed.retired(new)
    bed.whole()
    bed.works()


ONE_LOGIN = ((r"temporal_blue", "temporal"), (r"(services/[a-z-]+-)[0-9a-f]{12}", r"\g<1>000000000000"))


def as_before(bundle: Bundle) -> Bundle:
    """The files of the time when the owner of the databases logged in itself.

    But pg_hba.conf, which names the owner beside its logins.
    """

    def edited(text: str) -> str:
        for pattern, replacement in ONE_LOGIN:
            text = re.sub(pattern, replacement, text)
        return text

    def one(file: File) -> File:
        moved = replace(file, path=edited(file.path))
        if file.path.endswith("/pg_hba.conf"):
            return moved
        return replace(moved, content=edited(file.content.decode()).encode())

    return replace(bundle, files=tuple(sorted(map(one, bundle.files), key=lambda f: f.path)))


def test_a_cluster_of_one_login_goes_forward_and_can_go_back_until_the_first_rotation(bed: Bed) -> None:
    if bed.login is Login.GREEN:
        bed.rotate()
    cluster = bed.cluster
    store = SecretStore.open(cluster.secrets)
    secrets = store.ensure([Login.BLUE.secret])
    verifier = scram_sha_256(secrets[Login.BLUE.secret], salt=b"0123456789abcdef")
    bed.sql(f"alter role {OWNER} login password '{verifier}'")
    supply = Supply(secrets, store.look())
    bundles = [as_before(bundle) for bundle in render(cluster, size(cluster), known=supply.known)]
    with Fleet(lambda host: open_session(host, Sudo()), lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, supply, fleet, Options())
        outcome = rollout.apply(rollout.plan(cluster.hosts), lambda _: None)
        assert outcome.ok, outcome.errors
    assert bed.sql(USERS) == [OWNER]
    bed.inventory.provision()
    assert bed.sql(USERS) == [Login.BLUE.role]
    assert bed.inventory.run("rollback").code == 0
    assert bed.sql(USERS) == [OWNER]
    bed.rotate()
    assert bed.sql(USERS) == [Login.GREEN.role]
    assert bed.retired(Login.GREEN)
    assert "which a rotation of the password took away" in bed.inventory.run("rollback").said
    bed.whole()


def test_a_wrong_password_is_found_before_any_service_is_switched(bed: Bed) -> None:
    """Somebody sets another password in the database: what a restart would find out too late."""
    used, database = bed.login, store(bed.cluster).writer.name
    changed = bed.inventory.path.with_name("inventory-rotation-less.yaml")
    changed.write_text(re.sub(r"memory: 4GiB", "memory: 3GiB", bed.inventory.path.read_text()))
    others = [word for host in bed.cluster.hosts if host.name != database for word in ("--host", host.name)]
    before = {host.name: host.must(["readlink", f"{STATE}/current"]) for host in bed.lab.hosts}
    right = scram_sha_256(bed.secrets()[used.secret], salt=b"0123456789abcdef")
    bed.sql(f"alter role {used.role} password 'changed by hand, and nobody was told'")
    try:
        ran = Inventory(changed).run("provision", *others)
    finally:
        bed.sql(f"alter role {used.role} password '{right}'")
        changed.unlink()
    assert ran.code == 1, ran.said
    assert f"{used.role} can't log in at" in ran.said
    assert before == {host.name: host.must(["readlink", f"{STATE}/current"]) for host in bed.lab.hosts}
    bed.whole(settled=False)


def test_while_the_old_login_is_kept_one_can_go_back(bed: Bed) -> None:
    old, new = bed.login, bed.login.other
    bed.rotate("--keep-old")
    assert bed.sql(USERS) == [new.role]
    assert bed.sql(CAN) == sorted([old.role, new.role])
    assert bed.inventory.run("rollback").code == 0
    assert bed.sql(USERS) == [old.role]
    bed.whole()
    bed.works()
