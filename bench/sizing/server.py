"""What a run starts: Temporal's processes with their files, and PostgreSQL's settings. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = ("history", "matching", "worker", "frontend")  # as they are started
ADDRESS = "127.0.0.1"
PORTS = {"frontend": (7233, 6933), "history": (7234, 6934), "matching": (7235, 6935), "worker": (7239, 6939)}
DATABASES = {"temporal": "temporal", "temporal_visibility": "visibility"}  # and the schema of each
USER = "temporal"
POSTGRESQL_PORT = 15432
FRONTEND = f"{ADDRESS}:7233"
Document = dict[str, Any]  # a YAML file


@dataclass(frozen=True)
class Process:
    """One process of Temporal's server with some or all of its services."""

    services: tuple[str, ...]
    config: Document
    dynamic: Document
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "-".join(self.services) if len(self.services) < len(ROLES) else "all"


@dataclass(frozen=True)
class Server:
    """Everything below the worker."""

    processes: tuple[Process, ...]
    postgresql: Mapping[str, str]  # lines of postgresql.conf
    checksums: bool = False  # of PostgreSQL's pages
    sql: Mapping[str, str] = field(default_factory=dict)  # statements by database, once the schema is there


@dataclass(frozen=True)
class Worker:
    """Options of the worker process; 0 is the SDK's default."""

    workflow_slots: int = 0
    activity_slots: int = 0
    workflow_pollers: int = 0
    activity_pollers: int = 0
    cache: int = 0

    @property
    def words(self) -> list[str]:
        return [
            f"--{name.replace('_', '-')}={getattr(self, name)}" for name in sorted(self.__dataclass_fields__)
        ]


@dataclass(frozen=True)
class Stack:
    """A server and the worker in front of it, under the name that tables use."""

    name: str
    server: Server
    worker: Worker
