"""Another database password: nothing stops working, whenever the change is cut off; the old one ends."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.hosts import Host, Lab
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.rollout import Options, Rollout
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.errors import StepFailedError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.logins import Login
from tempo_infra.on_host.wire import Step
from tempo_infra.render import render
from tempo_infra.render.bundle import Bundle, File
from tempo_infra.secrets import Secret, SecretStore, scram_sha_256
from tempo_infra.sizing import size
from tests.lab import invariants
from tests.lab.conftest import Inventory, Ran, Variants, containers
from tests.lab.moments import begun, decided, ended, file_changes, journal_says, when

pytestmark = pytest.mark.faults

USERS = "select usename from pg_stat_activity where usename like 'temporal%' group by 1 order by 1"
CAN = "select rolname from pg_authid where rolcanlogin and rolpassword is not null order by 1"


class Bed:
    """A cluster on blue, and an inventory of its own that a rotation may change."""

    def __init__(self, lab: Lab, inventory: Inventory) -> None:
        self.lab, self.inventory = lab, inventory
        self.cluster = load(inventory.path)

    @property
    def database(self) -> Host:
        return self.lab.host(self.cluster.database_host.name)

    @property
    def history(self) -> Host:
        return self.lab.host(self.cluster.with_role(Role.HISTORY)[-1].name)

    def sql(self, statement: str) -> list[str]:
        label = "label=com.docker.compose.service=postgresql"
        id_ = self.database.must(["docker", "ps", "-q", "-f", label]).strip()
        return self.database.must(
            ["docker", "exec", id_, "psql", "-XAtU", "postgres", "-c", statement]
        ).split()

    def secrets(self) -> dict[str, Secret]:
        return dict(SecretStore.open(load(self.inventory.path).secrets).read())

    def whole(self) -> None:
        """Every host is whole, and workflows run."""
        for host in self.lab.hosts:
            decided(host)
            assert invariants.problems(host.container) == []
        ran = self.inventory.run("smoke", "--workflows", "8")
        assert ran.code == 0, ran.said

    def rotate(self, *words: str) -> Ran:
        ran = self.inventory.run("secrets rotate", *words)
        assert ran.code == 0, ran.said
        return ran

    def retired(self, login: Login) -> bool:
        """Only this login is left: in the database, in the secrets file and on every host."""
        folders = {
            name
            for host in self.lab.hosts
            for name in host.must(["ls", "/var/lib/tempo-infra/secrets"]).split()
        }
        return (self.sql(CAN), set(self.secrets()), folders) == ([login.role], {login.secret}, {login.reader})


@pytest.fixture
def bed(cluster: Inventory, lab: Lab, variant: Variants) -> Iterator[Bed]:
    """On blue before and after: the lab's own inventory says so, and a rotation ends on what it says."""
    bed = Bed(lab, variant(("(?m)^cluster: .*$", r"\g<0>"), name="rotation"))
    yield bed
    for host in lab.hosts:
        decided(host)
    ran = cluster.run("secrets rotate")
    assert ran.code == 0, ran.said
    assert Bed(lab, cluster).retired(Login.BLUE)


def login(bed: Bed, one: Login, password: str) -> None:
    """Try a password over the network from a history host. StepFailedError when the server refuses it."""
    bed.history.must(["mkdir", "-p", "/var/lib/tempo-infra/secrets/tried"])
    bed.history.exec(["tee", "/var/lib/tempo-infra/secrets/tried/it"], input=password)
    address = {"host": bed.cluster.database_host.internal, "port": 5432, "database": "temporal"}
    step = Step("login", {**address, "role": one.role, "acts_as": "temporal", "file": "tried/it"})
    try:
        with open_session(bed.cluster.host(bed.history.name), Sudo()) as session:
            session.call([step])
    finally:
        bed.history.must(["rm", "-r", "/var/lib/tempo-infra/secrets/tried"])


def seen(lab: Lab, host: Host, password: str, said: str) -> list[str]:
    """Where a password is found, in the forms in which it could leak: on the host, and in what was said."""
    plain = password.encode()
    marks = [password, base64.b64encode(plain).decode(), urllib.parse.quote(password), plain.hex()]
    folders = ["/var/lib/tempo-infra", "/etc", "/tmp", "/var/tmp", "/root", "/home", "/run/tempo-infra"]
    found = host.exec(["grep", "-rlsF", "-f", "-", *folders], input="\n".join(marks)).stdout.split()
    texts = {
        "output": said,
        "journal": host.must(["journalctl", "-o", "cat", "--no-pager"]),
        "processes": host.must(
            ["sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"]
        ),
        "containers": json.dumps(containers(lab, host.name)),
        "logs": host.must(["sh", "-c", "for c in $(docker ps -q); do docker logs $c 2>&1; done"]),
    }
    assert all(texts.values())
    return found + [name for name, text in texts.items() if any(mark in text for mark in marks)]


def test_a_rotation_moves_every_service_and_ends_the_old_login(bed: Bed) -> None:
    before = bed.secrets()[Login.BLUE.secret]
    login(bed, Login.BLUE, before.value)
    started = containers(bed.lab, bed.database.name)["postgresql"]["State"]["StartedAt"]
    ran = bed.rotate()
    assert "the services log in as temporal_green; no other login works any more" in ran.out
    assert bed.sql(USERS) == ["temporal_green"]
    assert bed.retired(Login.GREEN)
    now = containers(bed.lab, bed.database.name)["postgresql"]["State"]["StartedAt"]
    assert now == started  # the database went on
    with pytest.raises(StepFailedError, match=r"is not permitted to log in|authentication failed"):
        login(bed, Login.BLUE, before.value)
    after = bed.secrets()[Login.GREEN.secret]
    for host in bed.lab.hosts:
        assert seen(bed.lab, host, before.value, ran.said) == []
        assert seen(bed.lab, host, after.value, ran.said) == [
            "/var/lib/tempo-infra/secrets/temporal-green/db_password"
        ]
    bed.whole()
    refused = bed.inventory.run("rollback")
    assert refused.code == 1
    assert "which a rotation of the password took away" in refused.said
    bed.whole()


def test_while_the_old_login_is_kept_one_can_go_back(bed: Bed) -> None:
    bed.rotate("--keep-old")
    assert bed.sql(USERS) == ["temporal_green"]
    assert bed.sql(CAN) == ["temporal_blue", "temporal_green"]
    assert bed.inventory.run("rollback").code == 0
    assert bed.sql(USERS) == ["temporal_blue"]
    bed.whole()


MOMENTS: dict[str, Callable[[Bed], Callable[[], bool]]] = {
    "the inventory is changed": lambda bed: file_changes(bed.inventory.path),
    "the password is made": lambda bed: file_changes(bed.cluster.secrets.path),
    "the login is made": lambda bed: journal_says(bed.database, "sql"),
    "the login was tried": lambda bed: journal_says(bed.history, "login"),
    "services are switched": lambda bed: journal_says(bed.history, "switch"),
    "a host is healthy": lambda bed: journal_says(bed.history, "healthy"),
    "the old login is unused": lambda bed: journal_says(bed.database, "unused"),
    "a host has forgotten it": lambda bed: journal_says(bed.history, "forget"),
}


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_killed_at_any_step_the_cluster_works_and_the_same_command_ends_it(bed: Bed, moment: str) -> None:
    come = MOMENTS[moment](bed)
    process = begun(bed.inventory, "secrets rotate")
    with when(come, process.kill) as killed:
        assert killed.wait(240), ended(process).said
    ended(process)
    bed.whole()
    bed.rotate()
    assert bed.sql(USERS) == ["temporal_green"]
    assert bed.retired(Login.GREEN)
    bed.whole()


ONE_LOGIN = (
    (r"temporal_blue", "temporal"),
    (r"\+temporal ", "temporal "),
    (r"(services/[a-z-]+-)[0-9a-f]{12}", r"\g<1>000000000000"),
)


def as_before(bundle: Bundle) -> Bundle:
    """The files of the time when the owner of the databases logged in itself."""

    def edited(text: str) -> str:
        for pattern, replacement in ONE_LOGIN:
            text = re.sub(pattern, replacement, text)
        return text

    def one(file: File) -> File:
        return replace(file, path=edited(file.path), content=edited(file.content.decode()).encode())

    return Bundle(bundle.host, tuple(sorted(map(one, bundle.files), key=lambda f: f.path)), bundle.services)


def test_a_cluster_of_one_login_goes_forward_and_can_go_back_until_the_first_rotation(bed: Bed) -> None:
    cluster = load(bed.inventory.path)
    secrets = SecretStore.open(cluster.secrets).ensure([Login.BLUE.secret])
    verifier = scram_sha_256(secrets[Login.BLUE.secret], salt=b"0123456789abcdef")
    bed.sql(f"alter role temporal login password '{verifier}'")
    bundles = [as_before(bundle) for bundle in render(cluster, size(cluster))]
    with Fleet(lambda host: open_session(host, Sudo()), lambda _: None) as fleet:
        rollout = Rollout(cluster, bundles, secrets, fleet, Options())
        outcome = rollout.apply(rollout.plan(cluster.hosts), lambda _: None)
        assert outcome.ok, outcome.errors
    assert bed.sql(USERS) == ["temporal"]
    bed.inventory.provision()
    assert bed.sql(USERS) == ["temporal_blue"]
    assert bed.inventory.run("rollback").code == 0
    assert bed.sql(USERS) == ["temporal"]
    bed.inventory.provision()
    bed.rotate()
    assert bed.sql(CAN) == ["temporal_green"]
    bed.whole()


def test_a_wrong_password_is_found_before_any_service_is_switched(bed: Bed) -> None:
    """Somebody sets another password in the database: what a restart would find out too late."""
    bed.sql("alter role temporal_blue password 'changed by hand, and nobody was told'")
    changed = Path(bed.inventory.path)
    changed.write_text(re.sub(r"memory: 4GiB", "memory: 3GiB", changed.read_text()))
    database = bed.cluster.database_host.name
    before = {host.name: host.must(["readlink", "/var/lib/tempo-infra/current"]) for host in bed.lab.hosts}
    ran = bed.inventory.run(
        "provision", *(w for h in bed.cluster.hosts if h.name != database for w in ("--host", h.name))
    )
    assert ran.code == 1, ran.said
    assert "temporal_blue can't log in at" in ran.said
    assert before == {h.name: h.must(["readlink", "/var/lib/tempo-infra/current"]) for h in bed.lab.hosts}
    bed.sql(
        f"alter role temporal_blue password '{scram_sha_256(bed.secrets()['temporal_db'], salt=b'x' * 16)}'"
    )
