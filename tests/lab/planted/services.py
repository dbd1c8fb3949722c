"""Faults of the cluster's containers and of Temporal's roles, and handles on them for other faults."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from tests.lab.planted.fault import Fault, Plant, Site, done, nothing

CURRENT = "/var/lib/tempo-infra/current"
SERVICES = "/var/lib/tempo-infra/services"
COMPOSE = f"docker compose -f {CURRENT}/docker-compose.yml"
OVERRIDE = "/root/planted.yml"
HEALTHY_S = 90
CRASHES = 4


def container(service: str) -> str:
    return f"tempo-infra-{service}-1"


def pid_of(site: Site, service: str) -> int:
    return int(site.shell(f"docker inspect -f '{{{{.State.Pid}}}}' {container(service)}"))


def psql(site: Site, *statements: str) -> str:
    """Run statements one after the other, each by itself; what they printed."""
    words = f"docker exec {container('postgresql')} psql -XAtqU postgres -d temporal -v ON_ERROR_STOP=1"
    return site.shell(" ".join((words, *(f"-c {quote(one)}" for one in statements))))


def pgbench(site: Site, statement: str, *, clients: int, seconds: int) -> None:
    """Let so many sessions say a statement again and again, and don't wait."""
    run = f"echo {quote(statement)} | pgbench -n -U postgres -c {clients} -T {seconds} -f - temporal"
    site.shell(f"docker exec -d {container('postgresql')} sh -c {quote(run)}")


def wait_until_healthy(site: Site, service: str) -> None:
    """Until Docker calls it healthy; a Temporal role serves by then."""
    state = f"docker inspect -f '{{{{.State.Health.Status}}}}' {container(service)} 2>&1"
    until = f'test "$({state})" = healthy'
    site.shell(f"for n in $(seq {HEALTHY_S}); do {until} && exit 0; sleep 1; done; {state}; exit 1")


@contextmanager
def remade(site: Site, service: str, text: str) -> Iterator[None]:
    """The service's container is recreated, as by somebody who edited the compose file."""
    override = quote(f"{{services: {{{service}: {{{text}}}}}}}")
    try:
        site.shell(f"echo {override} > {OVERRIDE} && {COMPOSE} -f {OVERRIDE} up -d --no-deps {service}")
        wait_until_healthy(site, service)
        yield
    finally:
        site.shell(f"rm {OVERRIDE} && {COMPOSE} up -d --no-deps {service}")
        wait_until_healthy(site, service)


@contextmanager
def stopped(site: Site) -> Iterator[None]:
    with done(site, f"docker stop -t 5 {container('worker')}", f"docker start {container('worker')}"):
        yield
    wait_until_healthy(site, "worker")


@contextmanager
def crashing(site: Site) -> Iterator[None]:
    """Its process is killed again and again; the engine starts it again each time."""
    name = container("ui")
    kill = f"kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {name})"
    up = f"until test $(docker inspect -f '{{{{.State.Pid}}}}' {name}) != 0; do sleep 0.2; done"
    heal = f"{COMPOSE} up -d --no-deps --force-recreate ui"
    with done(site, f"for n in $(seq {CRASHES}); do {kill}; sleep 0.3; {up}; done; sleep 2", heal):
        yield
    wait_until_healthy(site, "ui")


@contextmanager
def out_of_memory(site: Site) -> Iterator[None]:
    """The kernel kills it whenever it starts, until the engine gives up: it needs more than its limit."""
    name = container("worker")
    update = f"docker update --memory 16m --memory-swap 16m --restart on-failure:3 {name}"
    over = f"docker inspect -f '{{{{.State.Status}}}}' {name} | grep -qx exited"
    small = f"docker stop -t 5 {name} && {update} && docker start {name}"
    wait = f"for n in $(seq 60); do {over} && exit 0; sleep 0.5; done; exit 1"
    try:
        site.shell(f"{small}; {wait}")
        yield
    finally:
        site.shell(f"{COMPOSE} up -d --no-deps --force-recreate worker")
        wait_until_healthy(site, "worker")


@contextmanager
def frozen(site: Site) -> Iterator[None]:
    with done(site, f"docker pause {container('ui')}", f"docker unpause {container('ui')}"):
        yield
    wait_until_healthy(site, "ui")  # the health check that it slept through has failed


@contextmanager
def frozen_role(site: Site) -> Iterator[None]:
    """The server stands still, not the init above it; its port takes connections, Docker says `running`."""
    init = pid_of(site, "worker")
    pid = int(site.shell(f"cat /proc/{init}/task/{init}/children"))
    with done(site, f"kill -STOP {pid}", f"kill -CONT {pid}"):
        yield
    time.sleep(1)


@contextmanager
def others_files(site: Site) -> Iterator[None]:
    """The container mounts the folder of another generation."""
    other = f"{SERVICES}/worker-000000000000"
    mount = f"volumes: [{{type: bind, source: {other}, target: /etc/tempo-infra, read_only: true}}]"
    with (
        done(site, f"cp -a $(ls -d {SERVICES}/worker-* | tail -1) {other}", f"rm -r {other}"),
        remade(site, "worker", mount),
    ):
        yield


@contextmanager
def unpinned(site: Site) -> Iterator[None]:
    """The same image by its tag alone."""
    name = (
        site.shell(f"docker inspect -f '{{{{.Config.Image}}}}' {container('ui')}").strip().partition("@")[0]
    )
    with remade(site, "ui", f"image: {quote(name)}"):
        yield


@contextmanager
def dead_member(site: Site) -> Iterator[None]:
    """A row of a host that is no more; its heartbeat is fresh."""
    psql(
        site,
        "insert into cluster_membership (membership_partition, host_id, rpc_address, rpc_port, role,"
        " session_start, last_heartbeat, record_expiry) values (0, '\\x0badbeef', '10.99.0.99', 6939, 4,"
        " now() at time zone 'utc', now() at time zone 'utc' + interval '1 minute',"
        " now() at time zone 'utc' + interval '2 minutes')",
    )
    try:
        yield
    finally:
        psql(site, "delete from cluster_membership where host_id = '\\x0badbeef'")


def removed(service: str) -> Plant:
    """Somebody removed the container."""

    @contextmanager
    def plant(site: Site) -> Iterator[None]:
        with done(site, f"docker rm -f {container(service)}", f"{COMPOSE} up -d --no-deps {service}"):
            yield
        wait_until_healthy(site, service)

    return plant


PORT_CLOSED = "the port of a container that doesn't run is closed"
NOT_SERVING = "its role doesn't serve"
FAULTS = (
    Fault(
        "stopped container",
        "worker",
        "container.state",
        "fail",
        "docker stop",
        stopped,
        also={
            "net.port": PORT_CLOSED,
            "temporal.health": NOT_SERVING,
            "container.image": "skipped: nothing runs whose image could be another",
            "container.files": "skipped: nothing runs that could read other files",
        },
    ),
    Fault(
        "removed container",
        "ui",
        "container.state",
        "fail",
        "docker rm -f",
        removed("ui"),
        also={
            "net.port": PORT_CLOSED,
            "container.image": "skipped: nothing runs whose image could be another",
        },
    ),
    Fault(
        "frozen container",
        "ui",
        "container.state",
        "fail",
        "docker pause",
        frozen,
    ),
    Fault(
        "container that crashes again and again",
        "ui",
        "container.state",
        "warn",
        f"its process is killed {CRASHES} times",
        crashing,
    ),
    Fault(
        "container killed for memory",
        "worker",
        "container.state",
        "fail",
        "its memory limit is lowered to 16 MiB, the kernel kills it at each of four starts",
        out_of_memory,
        also={
            "net.port": PORT_CLOSED,
            "temporal.health": NOT_SERVING,
            "container.image": "skipped: nothing runs whose image could be another",
            "container.files": "skipped: nothing runs that could read other files",
        },
    ),
    Fault(
        "frozen role",
        "worker",
        "temporal.health",
        "fail",
        "SIGSTOP to the server: its port is open, the container runs",
        frozen_role,
        fast=True,
        may={
            "container.state": "unhealthy after a minute",
            "temporal.members": "the ring loses who is silent, after some seconds",
        },
    ),
    Fault(
        "image by its tag alone",
        "ui",
        "container.image",
        "fail",
        "a container recreated from the image without its digest",
        unpinned,
    ),
    Fault(
        "container on another generation's files",
        "worker",
        "container.files",
        "fail",
        "a container recreated with the folder of another generation",
        others_files,
    ),
    Fault(
        "membership row of a dead host",
        "postgresql",
        "temporal.members",
        "warn",
        "a row with a fresh heartbeat in cluster_membership",
        dead_member,
        fast=True,
    ),
    Fault(
        "wrong number of shards",
        "postgresql",
        "temporal.shards",
        "fail",
        "the inventory names twice as many as the cluster was made with",
        nothing,
        inventory=((r"shards: 64", "shards: 128"),),
        fast=True,
    ),
)
