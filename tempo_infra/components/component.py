"""What is said of a service: the columns of the table of components."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

DB_PASSWORD = "db_password"  # noqa: S105  # a file's name, in the folder of each login
SECRETS = "/run/secrets"  # in a container; a folder for each way in which material lies on the host


class Reach(StrEnum):
    """Who may reach a port."""

    MEMBERS = "members"  # hosts of this cluster
    CLIENTS = "clients"  # workers and clients, and hosts of this cluster
    OPERATORS = "operators"  # by ssh alone: it is bound to the loopback of its host
    OWN_HOST = "own host"  # it is bound to the loopback that the service itself has, and published nowhere


@dataclass(frozen=True, slots=True)
class Port:
    """Where a service listens; the same on every host. It stays below 32768, where outgoing ones begin."""

    name: str  # "grpc", "membership", "metrics", "http", "sql"
    number: int
    reach: Reach
    option: str = ""  # of the inventory, with which alone it is open: "http_api"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a container needs at least, and its weight in what is left over (0: nothing more).

    The floors carry a small cluster. Measured with 512 shards, everything on one host of 2 GiB, 50 clients
    that wait for one workflow each: PostgreSQL 194, history 191, the others 30 to 46 MiB; nothing was killed.
    """

    floor_mib: int
    weight: int = 0
    leans: str = ""  # with classes that lean this way ("cpu", "io", "memory") it gets half as much again


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One kind of file. `{service}` in the effect is the service's name."""

    path: str  # on the host, or within the service's folder
    reader: str  # one of parse.READERS
    effect: str
    mode: int = 0o644  # no file holds a secret; containers read theirs as other users
    uid: int = 0
    free: bool = False  # an operator's own template may say anything in it, in its format
    reloaded: bool = False  # by the running service; the name of its folder does not say its whole content


@dataclass(frozen=True, slots=True)
class Reads:
    """A piece of material that a service reads: a secret, a key, a certificate (decision 27)."""

    name: str  # in the secrets file, and of the file in its container
    scope: Literal["cluster", "host"] = "cluster"  # the same on all hosts, or each has its own
    reloaded: bool = False  # it reads it again by itself, or on the signal: its container runs on
    signal: Literal["", "HUP"] = ""

    def secret(self, host: str) -> str:
        """Return its name in the secrets file, for one host."""
        return f"{self.name}.{host}" if self.scope == "host" else self.name


LOGIN = Reads(DB_PASSWORD)  # the password of the login in use, by whatever name it has in the file


@dataclass(frozen=True, slots=True)
class Grpc:
    """Health that is asked of a service of gRPC's own health protocol, on the port of that name."""

    service: str
    port: str = "grpc"


@dataclass(frozen=True, slots=True)
class Http:
    """Health that is an answer over HTTP."""

    port: str = "http"


@dataclass(frozen=True, slots=True)
class Postgres:
    """Health that is an answer of the database to a query."""

    port: str = "sql"


@dataclass(frozen=True, slots=True)
class Option:
    """What a component has besides in a cluster whose inventory asks for it."""

    name: str  # one of Cluster.options: "backup"
    image: str = ""  # in the place of its own
    files: tuple[ConfigFile, ...] = ()
    reads: tuple[Reads, ...] = ()
    probe: str = ""
    checks: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """One service: the compose service of its name on each host that has its role."""

    name: str
    kind: Literal[
        "postgresql", "temporal", "ui", "job", "service"
    ]  # how it is started; a service: as its row says
    role: str  # of the inventory, with which a host has it: its own name; of a job, that of another
    image: str  # name and tag, with versions of the inventory: "postgres:{postgres}"
    user: Literal["postgresql", "temporal", "ui"]  # whom it runs as: a field of on_host.users.Users
    memory: Memory
    pids: int  # 0: by its settings
    stop_grace_s: int
    vcpu_share: float = 1.0  # of the host's vCPUs
    go: bool = True  # a Go program: it is told its memory
    ports: tuple[Port, ...] = ()  # the first is the one that is asked whether it lives
    files: tuple[ConfigFile, ...] = ()
    templates: str = ""  # the folder of its files' templates, where it is not its own
    reads: tuple[Reads, ...] = ()  # the login's password, and material of its own
    health: Grpc | Http | Postgres | None = None
    command: tuple[str, ...] = ()  # of a service; empty: its image's own
    environment: tuple[tuple[str, str], ...] = ()  # of a service
    needs: tuple[str, ...] = ()  # components that must serve, anywhere, before it can
    asks: tuple[str, ...] = ()  # components whose endpoints it is told
    binds: bool = True  # it can be told which address to bind; else it never has its host's own network
    least: Literal[0, 1] = 0  # hosts of a cluster that have it
    most: Literal[1] | None = None
    restart: str = ""  # what stands still while its container is recreated
    alone: str = ""  # what stands still while the only one is away
    probe: str = ""  # the module that its hosts run for check-host: `read`, of the standard library only
    checks: str = ""  # the module that judges what that has read: CHECKS
    optional: tuple[Option, ...] = ()

    def having(self, options: Collection[str]) -> Component:
        """Return the row as it is in a cluster with these options."""
        row = self
        for one in self.optional:
            if one.name in options:
                row = replace(
                    row,
                    image=one.image or row.image,
                    files=(*row.files, *one.files),
                    reads=(*row.reads, *one.reads),
                    probe=one.probe or row.probe,
                    checks=one.checks or row.checks,
                )
        return row

    @property
    def whole(self) -> Component:
        """The row with all that it may have."""
        return self.having({one.name for one in self.optional})

    @property
    def is_job(self) -> bool:
        """Whether it runs once when asked."""
        return self.kind == "job"

    @property
    def own_material(self) -> tuple[Reads, ...]:
        """Return what it alone reads, which is generated where the secrets file has none."""
        return tuple(one for one in self.reads if one != LOGIN)

    def at(self, name: str) -> int:
        """Return the number of the port of that name; KeyError when it has none."""
        for port in self.ports:
            if port.name == name:
                return port.number
        raise KeyError(f"{self.name} has no port {name!r}")
