"""Each thing that speaks against a change is planted, named, and nothing on the host is touched by the run.

They act on the database's host of the inventory, with a change that would make its services anew.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import pytest

from lab import faults
from lab.hosts import Host, Lab
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.inspect import Supply
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.run import Outcome
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.users import OWN
from tempo_infra.render import Bundle, render
from tempo_infra.secrets import SecretStore
from tempo_infra.sizing import size
from tempo_infra.topology import instances, store
from tests.lab import invariants
from tests.lab.conftest import BRISK, Inventory, Ran, Variants, containers

pytestmark = pytest.mark.faults
STATE, DATA = "/var/lib/tempo-infra", "/srv/tempo/postgres"
Plant = Callable[[Host], AbstractContextManager[object]]


@dataclass
class Ground:
    """The host, and what a run that is refused must leave as it was."""

    lab: Lab
    inventory: Inventory
    host: Host

    def generation(self) -> str:
        return self.host.must(["readlink", f"{STATE}/current"]).strip()

    def staged(self) -> set[str]:
        return set(self.host.must(["ls", f"{STATE}/generations"]).split())

    def started(self) -> dict[str, str]:
        found = containers(self.lab, self.host.name)
        return {name: f"{one['Id']} {one['State']['StartedAt']}" for name, one in found.items()}

    def database(self) -> str:
        words = ["docker", "ps", "-aq", "-f", "label=com.docker.compose.service=postgresql"]
        return self.host.must(words).strip()

    def psql(self, *statements: str, database: str = "postgres") -> str:
        words = ["docker", "exec", self.database(), "psql", "-XqAtU", "postgres", "-d", database]
        return self.host.must([*words, *(word for one in statements for word in ("-c", one))]).strip()

    def edited(self, *changes: tuple[str, str]) -> Outcome:
        """Push rendered files changed by hand, as an own template would make them."""
        cluster = load(self.inventory.path)

        def edit(bundle: Bundle) -> Bundle:
            files = bundle.files
            for pattern, new in changes if bundle.host == self.host.name else ():
                files = tuple(
                    replace(
                        file,
                        path=re.sub(pattern, new, file.path),
                        content=re.sub(pattern, new, file.content.decode()).encode(),
                    )
                    for file in files
                )
            return replace(bundle, files=files)

        store = SecretStore.open(cluster.secrets)
        supply = Supply(store.ensure([cluster.secrets.login.secret]), store.look())
        bundles = [edit(bundle) for bundle in render(cluster, size(cluster), known=supply.known)]
        with Fleet(lambda host: open_session(host, Sudo()), lambda _: None) as fleet:
            rollout = Rollout(cluster, bundles, supply, fleet)
            return rollout.apply(rollout.plan(cluster.hosts), lambda _: None)

    def refused(self, changed: Inventory, says: str, *words: str, code: int = 1) -> Ran:
        """Insist that a run is refused for that reason and leaves everything alone."""
        before, staged, started = self.generation(), self.staged(), self.started()
        ran = changed.run("provision", *words)
        assert ran.code == code, ran.said
        assert says in " ".join(ran.said.split()), ran.said
        assert (self.generation(), self.started()) == (before, started)
        assert "armed" not in ran.said
        assert self.staged() == staged or "trial-start" in ran.said or "pull" in ran.said
        return ran


@pytest.fixture
def ground(lab: Lab, brisk: Inventory) -> Iterator[Ground]:
    ground = Ground(lab, brisk, lab.host(store(load(brisk.path)).writer.name))
    yield ground
    assert invariants.problems(ground.host.container) == []


@pytest.fixture
def changed(ground: Ground, variant: Variants) -> Inventory:
    return variant(BRISK, less_memory(ground.host))


def less_memory(host: Host) -> tuple[str, str]:
    return (rf"(internal: {re.escape(host.internal_address)}\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB")


@contextmanager
def own_file_system(host: Host, options: str) -> Iterator[None]:
    """The state folder on a small file system of its own, with everything that was in it."""
    script = (
        f"mkdir -p /mnt/state && mount -t tmpfs -o {options} tmpfs /mnt/state && "
        f"cp -a {STATE}/. /mnt/state/ && mount --bind /mnt/state {STATE} && umount /mnt/state"
    )
    host.must(["sh", "-c", script])
    try:
        yield
    finally:
        host.exec(["umount", "-l", STATE])
        host.exec(["rmdir", "/mnt/state"])


def little_space(host: Host) -> AbstractContextManager[None]:
    return own_file_system(host, "size=300m")


def few_inodes(host: Host) -> AbstractContextManager[None]:
    return own_file_system(host, "size=900m,nr_inodes=700")


def read_only(folder: str) -> Plant:
    return lambda host: faults.read_only(host, folder)


@contextmanager
def kernel_read_only(host: Host) -> Iterator[None]:
    """As in a container that is sold as a host."""
    host.must(["sysctl", "-qw", "vm.swappiness=60"])
    host.must(["sh", "-c", "mount --bind /proc/sys/vm /proc/sys/vm && mount -o remount,ro,bind /proc/sys/vm"])
    try:
        yield
    finally:
        host.must(["umount", "/proc/sys/vm"])
        host.must(["sysctl", "-qw", "vm.swappiness=1"])


@contextmanager
def unused_image_gone(host: Host) -> Iterator[None]:
    """A tool's image was pruned, and the registry is away."""
    words = ["docker", "images", "-q", "--filter", "reference=*/temporalio/admin-tools"]
    [image] = set(host.must(words).split())
    host.must(["docker", "image", "rm", "-f", image])
    with faults.registry_away(host):
        yield


MACHINE: list[tuple[str, Plant, str]] = [
    ("space", little_space, "/var/lib/tempo-infra needs 512 MiB, "),
    ("inodes", few_inodes, "/var/lib/tempo-infra has only "),
    ("state read-only", read_only(STATE), "lock can't be written: Read-only file system"),
    ("data read-only", read_only("/srv/tempo"), "/srv/tempo/postgres is mounted read-only"),
    ("etc read-only", read_only("/etc/sysctl.d"), "/etc/sysctl.d is mounted read-only"),
    (
        "kernel read-only",
        kernel_read_only,
        "vm.swappiness can't be set to 1, it is 60: Read-only",
    ),
    ("image", unused_image_gone, "nothing was switched; nobody listens at the registry's place"),
]


@pytest.mark.parametrize(("plant", "says"), [row[1:] for row in MACHINE], ids=[row[0] for row in MACHINE])
def test_a_machine_that_is_not_fit_is_refused(
    ground: Ground, changed: Inventory, plant: Plant, says: str
) -> None:
    with plant(ground.host):
        ground.refused(changed, says)


def test_a_port_that_a_stranger_took_is_named_with_its_owner(
    ground: Ground, lab: Lab, variant: Variants
) -> None:
    """Our own service is down and something else has its port: compose would fail half way."""
    name = instances(load(ground.inventory.path), Role.UI)[0].host.name
    ground.host = host = lab.host(name)
    id_ = host.must(["docker", "ps", "-q", "-f", "label=com.docker.compose.service=ui"]).strip()
    host.must(["docker", "stop", "-t", "2", id_])
    script = "import socket,time;s=socket.create_server(('127.0.0.1',8080));time.sleep(600)"
    host.must(["systemd-run", "--quiet", "--collect", "--unit=stranger", "python3", "-c", script])
    try:
        host.must(["sh", "-c", "until ss -ltn | grep -q ':8080 '; do sleep 0.2; done"], timeout=20)
        ground.refused(ground.inventory, "port 127.0.0.1:8080 is taken by python3 (pid ")
    finally:
        host.exec(["systemctl", "stop", "stranger"])
        ground.inventory.provision()


def test_another_major_version_of_postgresql_is_refused(ground: Ground, variant: Variants) -> None:
    older = variant(BRISK, (r"version: 17\n", "version: 16\n"), (r"postgres:17: sha", "postgres:16: sha"))
    ground.refused(older, "the data directory is PostgreSQL 17's, the image is 16: it can't start")


def test_text_that_was_sorted_by_another_c_library_is_refused(ground: Ground, changed: Inventory) -> None:
    """Its indexes would find less than is there; nobody would be told."""
    ground.psql("create database planted template template0 locale 'en_US.utf8'")
    try:
        ground.psql("update pg_database set datcollversion = '2.31' where datname = 'planted'")
        ground.refused(
            changed, "database planted is sorted by version 2.31 of the C library, the image has 2."
        )
    finally:
        ground.psql("drop database planted")


def test_a_database_that_is_gone_from_the_server_is_not_made_anew(ground: Ground, changed: Inventory) -> None:
    away = (
        "alter database temporal_visibility allow_connections false",
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'temporal_visibility'",
        "alter database temporal_visibility rename to away",
    )
    ground.psql(*away)
    try:
        ground.refused(changed, "the database temporal_visibility is gone from PostgreSQL")
    finally:
        ground.psql(
            "alter database away rename to temporal_visibility",
            "alter database temporal_visibility allow_connections true",
        )


@contextmanager
def data_moved(ground: Ground, put: str) -> Iterator[None]:
    """PostgreSQL is down, its data lies elsewhere, and a shell command puts something in its place."""
    id_ = ground.database()
    ground.host.must(["docker", "stop", "-t", "60", id_], timeout=90)
    ground.host.must(["mv", DATA, "/srv/tempo/away"])
    try:
        ground.host.must(["sh", "-ec", put])
        yield
    finally:
        ground.host.exec(["docker", "stop", "-t", "5", id_])
        ground.host.must(["rm", "-rf", DATA])
        ground.host.must(["mv", "/srv/tempo/away", DATA])
        ground.host.must(["docker", "start", id_])
        ground.inventory.provision()


EMPTY = f"install -d -o {OWN.postgresql} -g {OWN.postgresql} -m 700 {DATA}/data"
OTHER = f"{EMPTY} {DATA}/data/global && printf 17 > {DATA}/data/PG_VERSION && "
OTHER += f"printf '{struct.pack('<Q', 42).hex()}' | "
OTHER += f"sed 's/../\\\\x&/g' | xargs -0 printf > {DATA}/data/global/pg_control"


@pytest.mark.parametrize(
    ("put", "says"),
    [
        ("true", "/srv/tempo/postgres holds no database, but PostgreSQL has run here (database "),
        (EMPTY, "/srv/tempo/postgres holds no database, but PostgreSQL has run here (database "),
        (f"{EMPTY}; touch {DATA}/mine", "/srv/tempo/postgres holds no database, but PostgreSQL has run here"),
        (OTHER, "/srv/tempo/postgres holds database 42, but "),
    ],
    ids=["gone", "empty", "something else", "another database"],
)
def test_a_data_directory_that_is_not_the_pinned_one_stops_everything(
    ground: Ground, changed: Inventory, put: str, says: str
) -> None:
    with data_moved(ground, put):
        ground.refused(changed, says)


def test_even_docker_itself_makes_no_database_in_an_empty_folder(ground: Ground) -> None:
    """A volume that is not mounted at boot looks so, and containers start by themselves."""
    with data_moved(ground, EMPTY):
        ground.host.exec(["docker", "start", ground.database()])
        ground.host.must(["sleep", "5"])
        assert ground.host.must(["find", DATA, "-type", "f"]) == ""
        logs = ground.host.exec(["docker", "logs", "--tail", "20", ground.database()])
        assert "uninitialized" in logs.stdout + logs.stderr


def test_lost_data_is_given_up_by_the_clusters_name_only(ground: Ground) -> None:
    ground.refused(
        ground.inventory, "'another' is not the cluster's name", "--new-database", "another", code=2
    )


def test_a_line_of_pg_hba_that_the_server_does_not_take_is_refused(ground: Ground) -> None:
    before, started = ground.generation(), ground.started()
    outcome = ground.edited(
        (r"host    all                             all       ::/0 ", "host all all ::/999 "),
        (r"postgresql-[0-9a-f]{12}", "postgresql-bad000000001"),
    )
    assert "pg_hba.conf" in outcome.errors[ground.host.name].what
    assert outcome.now == {}
    assert (ground.generation(), ground.started()) == (before, started)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("pg_stat_statements.max: 5", "5 is outside the valid range for parameter"),
        ("pg_stat_statements.trak: all", 'invalid configuration parameter name "pg_stat_statements.trak"'),
    ],
)
def test_a_librarys_parameter_that_the_server_passes_over_is_refused(
    ground: Ground, variant: Variants, lines: str, says: str
) -> None:
    """It would start, with a warning in its log and the default."""
    text = f"{{shared_preload_libraries: pg_stat_statements, {lines}}}"
    ground.refused(variant(BRISK, (r"(?m)^hosts:\n", f"overrides:\n  postgresql: {text}\n\nhosts:\n")), says)


@pytest.mark.parametrize("where", ["shared_preload_libraries", "session_preload_libraries"])
def test_a_librarys_parameters_are_in_force(ground: Ground, variant: Variants, where: str) -> None:
    values = "auto_explain.log_min_duration: 3s, auto_explain.log_format: json"
    text = f"overrides:\n  postgresql: {{{where}: auto_explain, {values}}}\n\nhosts:\n"
    variant(BRISK, (r"(?m)^hosts:\n", text)).provision()
    shown = ground.psql("show auto_explain.log_min_duration", "show auto_explain.log_format")
    ground.inventory.provision()
    assert shown.splitlines() == ["3s", "json"]


def test_the_database_is_known_by_its_number_from_the_first_provision_on(ground: Ground) -> None:
    pin = ground.host.must(["cat", f"{STATE}/database.json"])
    number = ground.psql("select system_identifier from pg_control_system()")
    assert f'"system_identifier": "{number}"' in pin
    assert number in ground.inventory.run("status").out
    assert f'"system_identifier": "{number}"' in ground.inventory.run("plan", "--format", "json").out


def test_a_plan_says_how_long_the_services_were_away_when_they_were_last_made_anew(
    ground: Ground, changed: Inventory
) -> None:
    changed.provision()
    ran = ground.inventory.run("plan", "--no-diff")
    ground.inventory.provision()
    said = " ".join(ran.out.split())
    assert re.search(r"restarts postgresql: .*?; \d+\.\d s when last done here", said), ran.out
    assert re.search(r"postgresql.mem_limit 3?\d+m -> \d+m", said), ran.out
    assert [line for line in ran.out.splitlines() if len(line) > 80] == []


def test_a_file_that_was_edited_where_the_database_reads_it_is_shown_refused_and_put_right(
    ground: Ground,
) -> None:
    """The folder's name says its content, so nobody would write it again."""
    mounts = containers(ground.lab, ground.host.name)["postgresql"]["Mounts"]
    folder = next(
        one["Source"] for one in mounts if one["Source"].startswith(f"{STATE}/services/postgresql-")
    )
    path = f"{folder}/pg_hba.conf"
    shipped = ground.host.must(["cat", path])
    ground.host.must(["sh", "-c", f"echo '# mine' >> {path}"])
    drift = ground.inventory.run("diff")
    assert drift.code == 1, drift.said
    assert path in drift.out
    assert "+# mine" in drift.out
    ground.refused(ground.inventory, f"{path} was changed on the host since the last push")
    started = ground.started()
    ground.inventory.provision("--take-over")
    assert ground.host.must(["cat", path]) == shipped
    assert (
        ground.host.must(["docker", "exec", ground.database(), "cat", "/etc/tempo-infra/pg_hba.conf"])
        == shipped
    )
    moved = {name for name, one in ground.started().items() if started[name] != one}
    assert moved == {"postgresql"}
    copies = ground.host.must(["sh", "-c", f"cat {STATE}/taken-over/*/services/postgresql-*/pg_hba.conf"])
    assert copies.endswith("# mine\n")
    assert ground.inventory.run("diff").code == 0
