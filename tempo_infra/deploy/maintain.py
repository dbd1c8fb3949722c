"""Maintenance of hosts, one by one: drained, handed over, back and healthy before the next begins."""

from __future__ import annotations

import secrets as randomness
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from tempo_infra import components
from tempo_infra.deploy import locks
from tempo_infra.deploy.events import Progress, State
from tempo_infra.deploy.responses import read
from tempo_infra.deploy.steps import database_ready, members, note, serves
from tempo_infra.errors import HostKeyError, StepFailedError, UnreachableError
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.on_host.draining import Done
from tempo_infra.on_host.steps import change, reading, upkeep
from tempo_infra.topology import endpoints, store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.steps.step import Step

BOOT_DEADLINE_S = 900.0
HEALTHY_S, BACK_S = 15.0, 180.0
LET_GO_S = 15.0  # in which the program of a session that was ended lets go of its host's lock
POLL_S = 2.0
BROUGHT_BACK = "the host was brought back"
NOT_BACK = "look at its console at the provider; once it is up, its own services start by themselves"
KNOWN = frozenset({"postgresql", *TEMPORAL_ROLES})
AT_THE_EDGE = tuple(one.name for one in components.COMPONENTS if not one.is_job and one.name not in KNOWN)
"""What none of Temporal's services needs, the UI among it: it goes first and comes back last."""
# On one host: what others need least goes first; the frontend last, so that the others can still be asked.
ONE_HOST = (*AT_THE_EDGE, "worker", "matching", "history", "frontend")
# When the database goes, everything goes: first what brings work in, last what writes it down.
EVERYWHERE = ((*AT_THE_EDGE, "worker", "frontend"), ("matching",), ("history",))
BACK = (("history", "matching"), ("frontend",), ("worker", *AT_THE_EDGE))


@dataclass(frozen=True, slots=True)
class Work:
    """What is done on a drained host; neither: it is handed to a person."""

    command: str = ""
    deadline_s: float = 3600.0
    reboot: bool = False


@dataclass(frozen=True, slots=True)
class Boot:
    """Which boot of its system a host is in."""

    boot_id: str


class MaintenanceError(StepFailedError):
    """Maintenance stopped at a host."""


@dataclass
class Maintenance:
    """One run over several hosts. `where` says how things stand, also when it is interrupted."""

    fleet: Fleet
    cluster: Cluster
    report: Callable[[Progress], None]
    wrote: Callable[[Host, Done], None] = lambda _, __: None  # what the command wrote, and how it ended
    run: str = field(default_factory=lambda: randomness.token_hex(4))
    where: dict[str, str] = field(default_factory=dict)

    def one(self, host: Host, work: Work, hand_over: Callable[[Host], None]) -> None:
        """Maintain a host. MaintenanceError, UnreachableError: `where` says what it is now."""
        ours: dict[str, list[Step]] = {
            one.name: [reading.Belongs(self.cluster.name)] for one in self.cluster.hosts
        }
        self._must(ours, "not begun")
        self._healthy(
            HEALTHY_S, "not begun: the cluster is not healthy (drained before? provision ends that)"
        )
        self._stands(host, "being drained")
        if host.has(Role.POSTGRESQL):
            self._drain_everything()
        else:
            self._drain(host)
        self._stands(host, "drained: its services are stopped")
        problem = self._do(host, work, hand_over)
        self._stands(host, "coming back")
        self._back(host)
        self._healthy(BACK_S, "it is not healthy again")
        self._moved_back(host)
        self.where.clear()
        if problem is not None:
            raise problem

    def _stands(self, host: Host, state: str) -> None:
        """Note how things stand; with the database, all that needs it stops."""
        others = self.cluster.hosts if host.has(Role.POSTGRESQL) else ()
        self.where |= {one.name: f"its services stop with {host.name}'s database" for one in others}
        self.where[host.name] = state

    def _drain(self, host: Host) -> None:
        services = [role for role in ONE_HOST if Role(role) in host.roles]
        self._must({host.name: [*self._begin(), upkeep.Drain(services)]}, "it was not drained")
        others = [str(at) for at in endpoints(self.cluster, "history") if at.host != host.name]
        if others:
            step = upkeep.Owners(others, gone=host.internal)
            self._must({self._database: [step]}, "its work did not move")

    def _drain_everything(self) -> None:
        for group in EVERYWHERE:
            self._each(group, lambda services: [self._lock(), upkeep.Drain(services)])
        self._must(
            {self._database: [*self._begin(), upkeep.Drain(["postgresql"])]},
            "the database did not stop",
        )

    def _do(self, host: Host, work: Work, hand_over: Callable[[Host], None]) -> MaintenanceError | None:
        """Let the work be done; a command that fails ends the run, but the host comes back first."""
        problem = self._run(host, work) if work.command else None
        if work.reboot and problem is None:
            self._reboot(host)
        if not (work.command or work.reboot):
            hand_over(host)
            self.fleet.reopen(host)  # the person may have rebooted it
        return problem

    def _run(self, host: Host, work: Work) -> MaintenanceError | None:
        """Run the command, hand on what it wrote, and return what is wrong with how it ended."""
        step = upkeep.Command(work.command, work.deadline_s)
        answers, errors = self.fleet.ask({host.name: [step]}, [host], Done)
        if host.name in errors:
            told = _told(host.name, errors[host.name], f"the command failed; {BROUGHT_BACK}")
            if isinstance(told, MaintenanceError):
                return told
            raise told
        done = answers[host.name]
        self.wrote(host, done)
        if done.late:
            what = f"the command was ended after {work.deadline_s:g} s (--run-deadline)"
            return MaintenanceError(f"{what}; {BROUGHT_BACK}", host=host.name)
        if done.returncode:
            what = f"the command ended with {done.returncode}"
            return MaintenanceError(f"{what}; {BROUGHT_BACK}", host=host.name)
        return None

    def _reboot(self, host: Host) -> None:
        before = self._boot_id(host)
        self.report(Progress(host.name, "boot", State.STARTED))
        started = time.monotonic()
        self._must({host.name: [upkeep.Reboot()]}, "it would not reboot")
        why = ""
        while True:
            time.sleep(POLL_S)
            try:
                self.fleet.reopen(host)
                if self._boot_id(host) != before:
                    self.report(Progress(host.name, "boot", State.DONE, time.monotonic() - started))
                    return
            except HostKeyError:
                raise  # another system answers: one for rescue, or somebody else's
            except UnreachableError as error:
                why = f": {error.what}"
            if time.monotonic() >= started + BOOT_DEADLINE_S:
                what = f"did not come back within {BOOT_DEADLINE_S:g} s{why}"
                raise UnreachableError(what, host=host.name, remedy=NOT_BACK)

    def _boot_id(self, host: Host) -> str:
        [answer] = self.fleet.session(host).call([reading.BootId()])
        return read(TypeAdapter(Boot), answer, host.name, "boot-id").boot_id

    def _back(self, host: Host) -> None:
        if host.has(Role.POSTGRESQL):
            steps = [self._lock(LET_GO_S), change.Up(["postgresql"]), database_ready(self.cluster, BACK_S)]
            self._must({host.name: steps}, "the database is not back")
            for group in BACK:
                self._each(group, lambda services: [self._lock(), change.Up(services)])
        else:
            self._must({host.name: [self._lock(LET_GO_S), change.Up([])]}, "it is not back")

    def _healthy(self, deadline_s: float, otherwise: str) -> None:
        """Ask every role of every host, the database, and Temporal's own list of members."""
        self._must({self._database: [database_ready(self.cluster, deadline_s)]}, otherwise)
        self._must(
            {
                host.name: [serves(host, host.temporal_roles, deadline_s)]
                for host in self.cluster.hosts
                if host.temporal_roles
            },
            otherwise,
        )
        self._must({self._database: [members(self.cluster)]}, otherwise)

    def _moved_back(self, host: Host) -> None:
        if host.has(Role.HISTORY, Role.POSTGRESQL):
            owners = [str(at) for at in endpoints(self.cluster, "history")]
            self._must({self._database: [upkeep.Owners(owners)]}, "shards are without an owner")

    def _each(self, group: Sequence[str], steps: Callable[[list[str]], list[Step]]) -> None:
        wanted = {
            host.name: steps([role for role in group if Role(role) in host.roles])
            for host in self.cluster.hosts
            if any(Role(role) in host.roles for role in group)
        }
        self._must(wanted, "not every service stopped or started")

    def _must(self, steps: Mapping[str, Sequence[Step]], otherwise: str) -> None:
        errors = self.fleet.do(steps, self.cluster.hosts)
        for name, error in errors.items():
            raise _told(name, error, otherwise) from error

    def _begin(self) -> list[Step]:
        return [self._lock(), note(self.run, "maintenance", locks.who())]

    def _lock(self, wait_s: float = 0.0) -> change.Lock:
        return locks.lock_step(self.run, wait_s)

    @property
    def _database(self) -> str:
        return store(self.cluster).writer.name


def _told(name: str, error: TempoInfraError, otherwise: str) -> TempoInfraError:
    if isinstance(error, UnreachableError):
        return error
    return MaintenanceError(f"{otherwise}: {error.what}", host=name, remedy=error.remedy)


def what_waits(cluster: Cluster, host: Host) -> list[str]:
    """Say what stands still while a host is away, in lines for people."""
    if host.has(Role.POSTGRESQL):
        return [
            "the database: every service on every host stops in order, and starts again after it",
            "workflows wait, none is lost; timers fire late; clients and workers retry",
        ]
    lines = []
    for role in (role for role in TEMPORAL_ROLES if role in host.roles):
        others = [one.name for one in cluster.with_role(role) if one != host]
        if others:
            lines.append(f"{role}: moves to {', '.join(others)}")
        else:
            lines.append(f"{role}: {components.of(role).alone} until it is back")
    return lines
