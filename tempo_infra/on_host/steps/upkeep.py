"""Steps between changes: passwords that are retired, maintenance, leaving."""

from __future__ import annotations

from dataclasses import dataclass

from tempo_infra.on_host.steps.step import Step


@dataclass(frozen=True)
class Unused(Step):
    """Wait until no session uses these logins."""

    MOST_S = 120.0
    roles: "list[str]"
    deadline_s: float = 30.0


@dataclass(frozen=True)
class Forget(Step):
    """Take folders of secrets away."""

    MOST_S = 120.0  # the engine is asked who reads a folder
    readers: "list[str]"


@dataclass(frozen=True)
class Drain(Step):
    """Stop services, each after the one before has ended."""

    MOST_S = 120.0
    services: "list[str]"

    @property
    def longest_s(self) -> float:
        return self.MOST_S + 400 * len(self.services)


@dataclass(frozen=True)
class Owners(Step):
    """Wait until these history hosts own all shards, each at least one."""

    MOST_S = 150.0
    owners: "list[str]"  # "10.0.0.12:7234"
    gone: str = ""  # an address that should be no member any more
    deadline_s: float = 120.0

    @property
    def longest_s(self) -> float:
        return self.MOST_S + self._granted_s + 40 * len(self.owners)


@dataclass(frozen=True)
class OutOfRing(Step):
    """Wait until no server at these addresses is in Temporal's ring, as a frontend here sees it."""

    MOST_S = 60.0
    addresses: "list[str]"
    host: str  # internal address
    port: int
    deadline_s: float = 60.0


@dataclass(frozen=True)
class Silent(Step):
    """Wait until no server at these addresses has renewed its row in the database for a while."""

    MOST_S = 60.0  # one query
    addresses: "list[str]"
    deadline_s: float = 60.0  # three times what a host that has just died needs


@dataclass(frozen=True)
class Command(Step):
    """Run a person's command."""

    MOST_S = 60.0
    command: str
    deadline_s: float


@dataclass(frozen=True)
class Reboot(Step):
    """Restart the machine."""

    MOST_S = 60.0


@dataclass(frozen=True)
class Remove(Step):
    """Take everything of ours away but data and images."""

    MOST_S = 1200.0  # services stop, each in the time that it is granted
    run: str
    cluster: str  # that is meant


@dataclass(frozen=True)
class Eject(Step):
    """Leave a plain compose file; take away what only the tool needs."""

    MOST_S = 300.0  # compose reads what is left
    host: str  # internal address
    cluster: str  # that is meant


@dataclass(frozen=True)
class TakeBackup(Step):
    """Take a backup of the database."""

    MOST_S = 300.0  # repositories are read before and after
    kind: str  # full, incr or auto
    deadline_s: float = 86_400.0
