"""The order of a run across hosts: read all, prepare all, then the database, then Temporal by health."""

from __future__ import annotations

import getpass
import secrets as randomness
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.deploy import steps
from tempo_infra.deploy.events import Progress, State
from tempo_infra.deploy.inspect import read_state
from tempo_infra.deploy.plan import HostPlan, plan_host, warnings
from tempo_infra.inventory.cluster import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.wire import Step
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.secrets import Secrets


@dataclass(frozen=True)
class Plan:
    """What a run would do, and the hosts that could not be read."""

    hosts: tuple[HostPlan, ...]
    errors: dict[str, TempoInfraError]
    warnings: dict[str, list[str]]

    @property
    def changing(self) -> tuple[HostPlan, ...]:
        return tuple(plan for plan in self.hosts if not plan.is_noop)

    @property
    def problems(self) -> list[tuple[str, str]]:
        return [(plan.host, problem) for plan in self.hosts for problem in plan.problems]


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run: str
    plan: Plan
    errors: dict[str, TempoInfraError]
    done: tuple[str, ...]  # hosts that were changed and confirmed
    not_started: tuple[str, ...]  # hosts whose running services were left alone because of the errors

    @property
    def ok(self) -> bool:
        return not self.errors


class Rollout:
    """One run over an inventory: `plan` reads, `apply` does what was planned."""

    def __init__(
        self,
        cluster: Cluster,
        bundles: Sequence[Bundle],
        secrets: Secrets,
        fleet: Fleet,
        *,
        bootstrap: bool = False,
    ) -> None:
        self._cluster, self._secrets, self._fleet, self._bootstrap = cluster, secrets, fleet, bootstrap
        self._bundles = {bundle.host: bundle for bundle in bundles}
        self._run = randomness.token_hex(4)

    def plan(self, hosts: Sequence[Host]) -> Plan:
        """Read the hosts side by side and compare each with its bundle."""

        def one(host: Host) -> tuple[HostPlan, list[str]]:
            bundle = self._bundles[host.name]
            state, digests = read_state(self._fleet.session(host), bundle, self._secrets)
            return plan_host(host, bundle, state, digests, bootstrap=self._bootstrap), warnings(state)

        answers, errors = self._fleet.each(hosts, one)
        found = tuple(answers[host.name][0] for host in hosts if host.name in answers)
        return Plan(found, errors, {name: answer[1] for name, answer in answers.items() if answer[1]})

    def apply(self, plan: Plan, report: Callable[[Progress], None]) -> Outcome:
        """Do what was planned, stage by stage; at the first failure later stages are not begun."""
        for host_plan in plan.hosts:
            if host_plan.is_noop:
                report(Progress(host_plan.host, "unchanged", State.UNCHANGED))
        work = {p.host: self._work(p) for p in plan.changing}
        for stage in self._stages(work):
            errors = self._fleet.do(stage, self._cluster.hosts)
            if errors:
                touched = {name for name, todo in stage.items() if todo}
                return Outcome(self._run, plan, errors, (), tuple(sorted(work.keys() - touched)))
        return Outcome(self._run, plan, {}, tuple(work), ())

    def _work(self, plan: HostPlan) -> steps.Work:
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        host = self._cluster.host(plan.host)
        bundle = self._bundles[plan.host]
        return steps.Work(self._cluster, host, bundle, plan, self._run, who, self._bootstrap)

    def _stages(self, work: dict[str, steps.Work]) -> list[dict[str, list[Step]]]:
        """Return host -> steps for each stage. A stage begins when all hosts have ended the one before."""
        if not work:
            return []
        database = self._cluster.database_host.name
        temporal = {
            name: one for name, one in work.items() if one.host.temporal_roles or one.host.has(Role.UI)
        }
        early = {name: one for name, one in temporal.items() if not one.host.has(Role.FRONTEND, Role.UI)}
        late = {name: one for name, one in temporal.items() if name not in early}
        stages = [
            {name: steps.prepare(one, self._secrets) for name, one in work.items()},
            {database: steps.start_database(work[database], self._secrets)} if database in work else {},
            {name: steps.start_temporal(one, switched=name == database) for name, one in early.items()},
            {name: steps.start_temporal(one, switched=name == database) for name, one in late.items()},
            self._finish(work, temporal),
        ]
        return [stage for stage in stages if stage]

    def _finish(self, work: dict[str, steps.Work], temporal: dict[str, steps.Work]) -> dict[str, list[Step]]:
        """Membership as in the inventory, namespaces, and each changed host's confirmation."""
        frontend = self._cluster.with_role(Role.FRONTEND)[0].name
        database = self._cluster.database_host.name
        last: dict[str, list[Step]] = {name: [] for name in (*work, database, frontend)}
        if temporal:
            last[database].append(steps.members(self._cluster))
        if frontend in work:
            last[frontend].append(steps.make_namespaces(self._cluster))
        for name, one in work.items():
            last[name].append(steps.confirm(one))
        return last
