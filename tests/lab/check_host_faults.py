"""Faults for check-host: each is planted, found by exactly the checks that own it, and healed again."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from lab.hosts import Host

OWNED = "/etc/sysctl.d/60-tempo-infra.conf"
DATA = "/srv/tempo/check-host-fault"
NEEDRESTART = "/etc/needrestart"
SERVING_S = 10  # until a service that was started serves
Plant = Callable[[Host], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """Where it is planted (a role), what must change there, and what may change with it."""

    name: str
    role: str
    plant: Plant
    changes: frozenset[str]
    may: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()  # of the command


def shell(host: Host, text: str) -> str:
    return host.must(["sh", "-c", text], timeout=90)


def container(host: Host, service: str) -> str:
    return f"tempo-infra-{service}-1"


def psql(host: Host, statement: str, database: str = "temporal") -> str:
    words = ["docker", "exec", container(host, "postgresql"), "psql", "-XAtU", "postgres", "-d", database]
    return host.must([*words, "-c", statement])


@contextmanager
def drifted_file(host: Host) -> Iterator[None]:
    """An admin adds a comment to a file of ours."""
    shell(host, f"cp -p {OWNED} /root/kept && echo '# mine' >> {OWNED}")
    try:
        yield
    finally:
        shell(host, f"cp -p /root/kept {OWNED} && rm /root/kept")


@contextmanager
def missing_file(host: Host) -> Iterator[None]:
    shell(host, f"mv {OWNED} /root/kept")
    try:
        yield
    finally:
        shell(host, f"mv /root/kept {OWNED}")


@contextmanager
def stopped_container(host: Host) -> Iterator[None]:
    shell(host, f"docker stop -t 5 {container(host, 'worker')}")
    try:
        yield
    finally:
        shell(host, f"docker start {container(host, 'worker')}")
        time.sleep(SERVING_S)


@contextmanager
def fewer_open_files(host: Host) -> Iterator[None]:
    """The container is made anew with a lower limit, as an edited compose file would."""
    compose = "docker compose -f /var/lib/tempo-infra/current/docker-compose.yml"
    lower = "{services: {history: {ulimits: {nofile: {soft: 1024, hard: 2048}}}}}"
    more = "-f /root/lower.yml"
    shell(host, f"echo {shlex.quote(lower)} > /root/lower.yml && {compose} {more} up -d --no-deps history")
    time.sleep(SERVING_S)
    try:
        yield
    finally:
        shell(host, f"rm /root/lower.yml && {compose} up -d --no-deps history")
        time.sleep(SERVING_S)


@contextmanager
def data_in_memory(host: Host) -> Iterator[None]:
    shell(host, f"mkdir -p {DATA} && mount -t tmpfs -o size=64m none {DATA}")
    try:
        yield
    finally:
        shell(host, f"umount {DATA} && rmdir {DATA}")


@contextmanager
def reboot_wanted(host: Host) -> Iterator[None]:
    shell(host, "touch /run/reboot-required && echo linux-image > /run/reboot-required.pkgs")
    try:
        yield
    finally:
        shell(host, "rm /run/reboot-required /run/reboot-required.pkgs")


@contextmanager
def failed_unit(host: Host) -> Iterator[None]:
    host.exec(["systemd-run", "--quiet", "--unit=check-host-fault", "false"])
    time.sleep(1)
    try:
        yield
    finally:
        shell(host, "systemctl reset-failed check-host-fault")


@contextmanager
def automatic_restarts(host: Host) -> Iterator[None]:
    line = shlex.quote("$nrconf{restart} = 'a';")
    shell(
        host,
        f"test ! -e {NEEDRESTART} && mkdir {NEEDRESTART} && echo {line} > {NEEDRESTART}/needrestart.conf",
    )
    try:
        yield
    finally:
        shell(host, f"rm -r {NEEDRESTART}")


@contextmanager
def dead_member(host: Host) -> Iterator[None]:
    """A row of a host that is no more; its heartbeat is fresh."""
    psql(
        host,
        "insert into cluster_membership (membership_partition, host_id, rpc_address, rpc_port, role,"
        " session_start, last_heartbeat, record_expiry) values (0, '\\x0badbeef', '10.99.0.99', 6939, 4,"
        " now() at time zone 'utc', now() at time zone 'utc' + interval '1 minute',"
        " now() at time zone 'utc' + interval '2 minutes')",
    )
    try:
        yield
    finally:
        psql(host, "delete from cluster_membership where host_id = '\\x0badbeef'")


@contextmanager
def setting_not_loaded(host: Host) -> Iterator[None]:
    """The file is another one than the server has read."""
    folder = shell(host, "ls -d /var/lib/tempo-infra/services/postgresql-*").split()[-1]
    file = f"{folder}/postgresql.conf"
    time.sleep(1.1)  # the time of a file has to be later than that of the load
    shell(host, f"cp -p {file} /root/kept && echo \"log_min_duration_statement = '7s'\" >> {file}")
    try:
        yield
    finally:
        shell(host, f"cat /root/kept > {file} && touch -r /root/kept {file} && rm /root/kept")


@contextmanager
def waiting_for_a_lock(host: Host) -> Iterator[None]:
    psql(host, "create table if not exists check_host_fault ()", "postgres")
    hold = "begin; lock table check_host_fault; select pg_sleep(40)"
    words = f"docker exec -d {container(host, 'postgresql')} psql -XqU postgres -d postgres -c"
    for _ in range(2):
        shell(host, f"{words} {shlex.quote(hold)}")
    time.sleep(3)
    try:
        yield
    finally:
        psql(
            host,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where query like '%check_host_fault%' and pid <> pg_backend_pid()",
            "postgres",
        )
        psql(host, "drop table check_host_fault", "postgres")


def _ids(*names: str) -> frozenset[str]:
    return frozenset(names)


FAULTS = (
    Fault("drifted owned file", "history", drifted_file, _ids("files.drift")),
    Fault("missing owned file", "history", missing_file, _ids("files.drift")),
    Fault(
        "stopped container",
        "worker",
        stopped_container,
        _ids("container.state", "container.image", "container.files", "temporal.health", "net.port",
             "nofile.container"),
        may=_ids("temporal.members", "net.reach"),
    ),
    Fault(
        "fewer open files for a container",
        "history",
        fewer_open_files,
        _ids("nofile.container"),
        may=_ids("temporal.members"),
    ),
    Fault(
        "data directory in memory",
        "postgresql",
        data_in_memory,
        _ids("disk.kind", "disk.flush", "disk.size", "disk.space"),
        may=_ids("disk.growth"),
        words=("--data-dir", DATA),
    ),
    Fault("a reboot is wanted", "history", reboot_wanted, _ids("host.reboot")),
    Fault("a failed unit", "history", failed_unit, _ids("host.units")),
    Fault("automatic restarts", "history", automatic_restarts, _ids("host.restarts")),
    Fault("a member that is no more", "postgresql", dead_member, _ids("temporal.members")),
    Fault(
        "a setting that is not loaded",
        "postgresql",
        setting_not_loaded,
        _ids("postgres.settings", "files.drift"),
    ),
    Fault("a session that waits for a lock", "postgresql", waiting_for_a_lock, _ids("postgres.locks")),
)  # fmt: skip
