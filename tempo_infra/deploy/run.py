"""One run over hosts, as values: what it would do, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempo_infra.deploy.departed import Departed
    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.deploy.since import Since
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.render.bundle import OwnUse


@dataclass(frozen=True)
class Plan:
    """What a run would do, and the hosts that could not be read."""

    hosts: tuple[HostPlan, ...]
    errors: dict[str, TempoInfraError]
    warnings: dict[str, list[str]]
    risks: tuple[str, ...] = ()  # that the operator has decided to take, and budgets that are strained
    against: tuple[tuple[str, str], ...] = ()  # what speaks against any change: where it stands, and why
    own: tuple[OwnUse, ...] = ()  # templates of the operator's that made files of these hosts
    readers: tuple[str, ...] = ()  # who can open the secrets file
    since: tuple[Since, ...] = ()  # who changed hosts last, and what would be undone
    departed: tuple[Departed, ...] = ()  # hosts that left the inventory, and are still in the cluster
    unasked: tuple[tuple[str, str], ...] = ()  # those that the operator has not named, and what to do
    without: tuple[str, ...] = ()  # hosts that are left as they are

    @property
    def is_noop(self) -> bool:
        """Whether nothing is to be done anywhere."""
        return not self.changing and not self.departed

    @property
    def changing(self) -> tuple[HostPlan, ...]:
        return tuple(plan for plan in self.hosts if not plan.is_noop)

    @property
    def problems(self) -> list[tuple[str, str]]:
        of_hosts = ((plan.host, problem) for plan in self.hosts for problem in plan.problems)
        return [*self.against, *self.unasked, *of_hosts]


@dataclass(frozen=True)
class Lost:
    """A host whose connection was lost after it was armed: it decides by itself."""

    step: str
    generation: str
    previous: str | None
    decides_by: float  # seconds since the epoch
    why: str = ""  # what hangs; empty: the connection


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run: str
    plan: Plan
    errors: dict[str, TempoInfraError]
    done: tuple[str, ...]  # hosts that were changed and confirmed
    not_started: tuple[str, ...]  # hosts whose running services were left alone because of the errors
    now: dict[str, str] = field(default_factory=dict)  # host -> what it is after a failed run
    lost: dict[str, Lost] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        return not self.errors and not self.interrupted
