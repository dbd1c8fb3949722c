"""Steps that change nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host.steps.step import UNDO_S, Step

if TYPE_CHECKING:
    from tempo_infra.on_host.facts import FactsOptions


@dataclass(frozen=True)
class State(Step):
    """Read everything that the plan needs."""

    MOST_S = 240.0  # an engine that stops answering in between, 45 s each time; the data disk
    CHANGES = False
    wanted: "dict[str, str]"  # path in the bundle -> digest
    images: "list[str]"
    material: "list[str]"  # paths below the folder of secrets
    key: str  # hex; of the digests that are wanted of them
    bindings: "list[str]" = field(default_factory=list)  # address:port that will be listened on
    subnets: "list[str]" = field(default_factory=list)  # of containers, wanted and possible ones
    compose: str = ""  # the wanted compose file
    host: str = ""  # internal address; empty: no service is asked whether it serves
    contents: "dict[str, str]" = field(default_factory=dict)  # brought image -> digest of its configuration


@dataclass(frozen=True)
class Facts(Step):
    """Measure the host for its checks."""

    MOST_S = 780.0  # check-host --thorough on a very slow disk
    CHANGES = False
    options: FactsOptions

    @classmethod
    def of(cls, arguments: "dict[str, Any]", payload: bytes) -> "Step":
        from tempo_infra.on_host.facts import FactsOptions

        return cls(FactsOptions.of(arguments["options"]), payload=payload)


@dataclass(frozen=True)
class Clock(Step):
    """Say the time, in nanoseconds."""

    MOST_S = 20.0
    CHANGES = False


@dataclass(frozen=True)
class BootId(Step):
    """Say which boot this is."""

    MOST_S = 30.0
    CHANGES = False


@dataclass(frozen=True)
class Departed(Step):
    """Say whose this host is and what of ours runs: it left the inventory."""

    MOST_S = 90.0  # the engine is asked
    CHANGES = False


@dataclass(frozen=True)
class Runs(Step):
    """Read the generations and the journal, once a run that is at work is over."""

    MOST_S = 60.0 + UNDO_S  # a change whose timer is gone is decided here
    CHANGES = False
    run: str = ""  # only this one; empty: all
    wait_s: float = 0.0  # for this run to be over
    host: str = ""  # internal address; empty: no service is asked whether it serves


@dataclass(frozen=True)
class Belongs(Step):
    """Refuse to be another cluster's host."""

    MOST_S = 30.0
    CHANGES = False
    cluster: str  # the inventory's name for it


@dataclass(frozen=True)
class KeptGeneration(Step):
    """Read a generation that lies here, and whether the host could go to it."""

    MOST_S = 120.0  # 10 s to look at the data disk
    CHANGES = False
    digest: str


@dataclass(frozen=True)
class Roles(Step):
    """List who may log in to the database."""

    MOST_S = 150.0  # one query, with a deadline of its own
    CHANGES = False


@dataclass(frozen=True)
class Passwords(Step):
    """Return the secrets that lie here."""

    MOST_S = 30.0
    CHANGES = False
    labels: "list[str]"  # reader/file, without what a folder's name says of its content


@dataclass(frozen=True)
class Backups(Step):
    """List the backups that there are."""

    MOST_S = 120.0
    CHANGES = False
