"""The order of a run across hosts: read all, prepare all, then the database, then Temporal by health."""

from __future__ import annotations

import secrets as randomness
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.deploy import batches, locks, missing, namespaces, origin, preconditions, restarts, steps
from tempo_infra.deploy.bringing import Stock
from tempo_infra.deploy.departing import Departing
from tempo_infra.deploy.events import Progress, State
from tempo_infra.deploy.following import Reader
from tempo_infra.deploy.inspect import prepare
from tempo_infra.deploy.kept import Kept, record_of
from tempo_infra.deploy.network import warnings as network_warnings
from tempo_infra.deploy.options import USUAL, Options
from tempo_infra.deploy.plan import HostPlan, plan_host, warnings
from tempo_infra.deploy.plan_file import digest
from tempo_infra.deploy.put_back import put_back
from tempo_infra.deploy.run import Lost, Outcome, Plan
from tempo_infra.deploy.secrets_file import cautions
from tempo_infra.deploy.since import since
from tempo_infra.deploy.temporal_versions import against as by_version
from tempo_infra.deploy.turn import LateError
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.on_host.steps import change
from tempo_infra.render.bundle import own_used
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tempo_infra.deploy.feeding import Todo
    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.inspect import Digests, Supply
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.cluster_record import ClusterRecord
    from tempo_infra.on_host.state import HostState
    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.secrets import Origin
    from tempo_infra.sizing import Settings


class Rollout:
    """One run over an inventory: `plan` reads, `apply` does what was planned."""

    def __init__(
        self,
        cluster: Cluster,
        bundles: Sequence[Bundle],
        supply: Supply,
        fleet: Fleet,
        options: Options = USUAL,
        settings: Settings | None = None,
    ) -> None:
        self._cluster, self._supply, self._fleet, self._options = cluster, supply, fleet, options
        self._bundles, self._settings = {bundle.host: bundle for bundle in bundles}, settings
        self._frontend = ""  # of the hosts that were read, the one from which namespaces are made
        self._wanted = namespaces.wanted(cluster.temporal)
        self.run = randomness.token_hex(4)
        self._departing = Departing(cluster, fleet, self.run, options)
        self._before: missing.Members | None = None
        self._stop = threading.Event()
        self._reached: Collection[str] = ()  # hosts that were read
        self._locked = self.begun = False  # begun: a host may have been changed
        self._kept = Kept(cluster, fleet, self.run)
        self.stock = Stock(cluster.images)

    @property
    def missing(self) -> bool:
        """Whether a password is still to be generated."""
        return bool(self._supply.missing)

    def supply(self, supply: Supply) -> None:
        """Take secrets that were generated since the plan was made: bundles name them by their content."""
        self._supply = supply
        reader = Reader(self._cluster, self._settings, self._fleet)
        users = {name: one.users for name, one in self._bundles.items()}
        self._bundles = reader.rendered(users, supply.known)

    def stop(self) -> None:
        """Begin nothing more; what is not confirmed is put back."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def plan(self, hosts: Sequence[Host], *, lock: bool = False) -> Plan:
        """Read the hosts side by side and compare each with its bundle.

        With `lock` they are read under their locks, all of them or none; so nothing moves before `apply`.
        """
        answers, errors = self._read(hosts, (locks.lock_step(self.run),) if lock else ())
        if lock and locks.refused(errors):
            errors = dict(locks.take_in_order(self._fleet, hosts, self.run, self._options.lock_wait_s))
            if errors:
                return Plan((), errors, {})
            answers, errors = self._read(hosts)
        self._locked = lock
        states = {name: state for name, (state, _) in answers.items()}
        self._frontend = namespaces.made_from(self._cluster, states)
        self._kept.read(states)
        self._reached = states.keys()
        errors = errors | self._look_around(hosts, states, lock=lock)
        allowed = preconditions.allowed(self._options, self._cluster, list(self._bundles.values()))
        made, failed = self._fleet.each(  # what one host has answered ends no other host's plan
            [host for host in hosts if host.name in answers],
            lambda host: (
                self._planned(host, *answers[host.name], states, allowed),
                list(self._warnings(host.name, states)),
            ),
        )
        known = {name: words for name, (_, words) in made.items() if words}
        own = own_used(self._bundles[host.name] for host in hosts)
        taken = (f"accepted risk: {one.risk}" for one in own if one.risk)
        found = tuple(plan for plan, _ in made.values())
        risks = (*self._risks(), *taken, *self._unasked(states), *cautions(self._cluster, self._supply.found))
        left = self._departing
        return Plan(
            found,
            errors | failed,
            known,
            risks=(*risks, *left.risks, *left.outages(found)),
            against=(*preconditions.of_inventory(self._cluster), *left.refused, *self._needs_all(states)),
            own=own,
            readers=tuple(map(str, self._supply.found.readers)),
            since=since(found, states, self._cluster.digest, locks.who()),
            departed=left.found,
            unasked=tuple(left.unasked),
            without=self._options.without,
        )

    @property
    def _database(self) -> Host:
        """The host that takes the cluster's writes."""
        return store(self._cluster).writer

    def _needs_all(self, states: Mapping[str, HostState]) -> Iterator[tuple[str, str]]:
        database = states.get(self._database.name)
        return missing.needs_all(self._cluster, database, self._options.without)

    def _look_around(
        self, hosts: Sequence[Host], states: Mapping[str, HostState], *, lock: bool
    ) -> dict[str, TempoInfraError]:
        """See who else is in the cluster, and who is missing; the database host is asked in any case."""
        database, seen = self._database, dict(states)
        if database not in hosts and any(host.temporal_roles for host in hosts):
            answers, _ = self._read([database])
            seen |= {name: state for name, (state, _) in answers.items()}
        self._before = missing.members_before(seen.get(database.name))
        return self._departing.find(seen, lock=lock)

    def _warnings(self, host: str, states: Mapping[str, HostState]) -> Iterator[str]:
        yield from warnings(states[host])
        yield from network_warnings(host, self._bundles[host], states[host])
        if host == self._frontend:
            yield from namespaces.warnings(self._wanted, self._namespaces(states))

    def _risks(self) -> tuple[str, ...]:
        return self._settings.cautions if self._settings else ()

    def _unasked(self, states: Mapping[str, HostState]) -> Iterator[str]:
        """Say what a cluster that has run did not say of its namespaces, and what nobody planned."""
        database = states.get(self._database.name)
        yield from (f"PostgreSQL has {one}" for one in (database.live.overrides if database else ()))
        frontend = states.get(self._frontend)
        if self._wanted and frontend and frontend.last_good and not self._namespaces(states):
            why = (database and database.live.unasked) or "its database was not asked, or is silent"
            yield f"namespaces were not compared with Temporal's: {why}"

    def _namespaces(self, states: Mapping[str, HostState]) -> Mapping[str, int]:
        """Return the live namespaces; none when the database was not read or did not say."""
        database = states.get(self._database.name)
        return dict(database.live.namespaces) if database else {}

    def texts(self, host: str) -> dict[str, str]:
        """Return the rendered files of a host by path."""
        return {file.path: file.content.decode() for file in self._bundles[host].files}

    def states(self, hosts: Sequence[Host]) -> tuple[dict[str, HostState], dict[str, TempoInfraError]]:
        """Read the hosts side by side."""
        answers, errors = self._read(hosts)
        return {name: state for name, (state, _) in answers.items()}, errors

    def namespace_drift(
        self, host: str, states: Mapping[str, HostState]
    ) -> tuple[namespaces.NamespaceChange, ...]:
        """Compare the live namespaces with those that were provisioned, on the host that makes them."""
        if host != namespaces.made_from(self._cluster, states):
            return ()
        had = namespaces.provisioned(states[host], self.texts(host))
        return namespaces.changes(had, self._namespaces(states))

    def _read(
        self, hosts: Sequence[Host], first: Sequence[Step] = ()
    ) -> tuple[dict[str, tuple[HostState, Digests]], dict[str, TempoInfraError]]:
        prepare()
        reader = Reader(self._cluster, self._settings, self._fleet)
        answers, errors, self._bundles = reader.read(hosts, self._bundles, self._supply, first)
        return answers, errors

    def _planned(
        self,
        host: Host,
        state: HostState,
        digests: Digests,
        states: Mapping[str, HostState],
        allowed: preconditions.Allowed,
    ) -> HostPlan:
        found = plan_host(
            host,
            self._bundles[host.name],
            state,
            digests.wanted,
            allowed,
            self._settings.host(host.name) if self._settings else None,
        )
        found = replace(found, restarts=restarts.with_history(found.restarts, host.name, states))
        if host == self._database:
            gone = digest([one.internal for one in self._departing.found])
            found = replace(found, state={**found.state, "departed": gone})
        if host.name == self._frontend:
            todo = namespaces.changes(self._wanted, self._namespaces(states))
            seen = digest([[one.name, one.had_s] for one in todo])
            found = replace(found, namespaces=todo, state={**found.state, "namespaces": seen})
        bring, without = self.stock.bring(self._bundles[host.name], state)
        strange = origin.problems(state, self._supply, digests)
        against = (*by_version(self._cluster, host.name, state), *(() if allowed.take_over else strange))
        found = replace(
            found,
            origin=origin.change(state, self._supply),
            bring=bring,
            overridden=strange if allowed.take_over else (),
            problems=(*found.problems, *without, *against),
        )
        if not found.new_data:
            return found
        apart = preconditions.elsewhere(host, states, new_database=allowed.new_database)
        return replace(found, problems=(*found.problems, *apart))

    def apply(self, plan: Plan, report: Callable[[Progress], None]) -> Outcome:
        """Do what was planned, stage by stage; at the first failure later stages are not begun."""
        self.begun = True
        plan = replace(plan, hosts=tuple(map(self._named, plan.hosts)))
        for one in plan.hosts:
            if one.is_noop or one.bring.contents:
                step, state = ("unchanged", State.UNCHANGED) if one.is_noop else ("pack", State.STARTED)
                report(Progress(one.host, step, state))
        work = {p.host: self._work(p) for p in plan.changing}
        record = record_of(self._cluster, self.run, plan.hosts, self._departing.remembered())
        armed: set[str] = set()
        errors = {} if self._locked else dict(self._lock([one.host for one in work.values()]))
        if errors:
            return self._failed(plan, work, armed, errors)
        for stage in (*self._departing.before(), *self._stages(work, record)):
            if self._stop.is_set():
                return self._failed(plan, work, armed, {})
            armed |= {
                name for name, todo in stage.items() if any(isinstance(step, change.Arm) for step in todo)
            }
            errors = self._fleet.do(stage, (*self._cluster.hosts, *self._departing.hosts))
            self._kept.done(stage, errors)
            if errors:
                self._kept.correct(record, errors)
                return self._failed(plan, work, armed, errors)
        errors = self._kept.tell(self._supply.found.origin, record)
        errors |= self._fleet.do(self._departing.removed(), self._departing.hosts)
        return Outcome(self.run, plan, errors, tuple(work), ())

    def _named(self, plan: HostPlan) -> HostPlan:
        """Return a plan with the name of its generation, which the secrets' digests are part of."""
        return plan if plan.keeps_generation else replace(plan, digest=self._bundles[plan.host].digest)

    def remember(self, now: Origin) -> dict[str, TempoInfraError]:
        """Let the hosts that were planned know which secrets file is in use: later ones must follow."""
        return self._kept.tell(now)

    def _lock(self, hosts: Sequence[Host]) -> Mapping[str, TempoInfraError]:
        return locks.take(self._fleet, hosts, self.run, self._options.lock_wait_s)

    def _failed(
        self,
        plan: Plan,
        work: dict[str, steps.Work],
        armed: set[str],
        errors: dict[str, TempoInfraError],
    ) -> Outcome:
        """Put the batch back: Temporal's hosts first, the database last. Who has decided already is left."""
        why = "; ".join(error.what for error in errors.values()) or "stopped by the operator"
        now = {name: e.now for name, e in errors.items() if isinstance(e, StepFailedError) and e.now}
        unheard = {name for name, error in errors.items() if isinstance(error, UnreachableError)}
        left = [name for name in work if name in armed - now.keys() - unheard]
        database = self._database.name
        for group in (
            [name for name in left if name != database],
            [name for name in left if name == database],
        ):
            answers, failures = self._put_back([work[name] for name in group], why)
            now |= answers
            errors = errors | failures
        now |= self._departing.put_back()
        lost = {
            name: self._lost(work[name], error)
            for name in armed
            if isinstance(error := errors.get(name), UnreachableError)
        }
        untouched = tuple(sorted(work.keys() - armed))
        return Outcome(self.run, plan, errors, (), untouched, now, lost, interrupted=self._stop.is_set())

    def _put_back(
        self, group: list[steps.Work], why: str
    ) -> tuple[dict[str, str], dict[str, TempoInfraError]]:
        wanted = {one.host.name: [steps.put_back(one, why)] for one in group}
        return put_back(self._fleet, wanted, self._cluster.hosts)

    def _lost(self, one: steps.Work, error: UnreachableError) -> Lost:
        step = self._fleet.at.get(one.host.name, "")
        by = time.time() + self._cluster.timing.decide_after_s
        why = error.what if isinstance(error, LateError) else ""
        return Lost(step, one.plan.digest, one.plan.previous, by, why)

    def _work(self, plan: HostPlan) -> steps.Work:
        return steps.Work(
            self._cluster,
            self._cluster.host(plan.host),
            self._bundles[plan.host],
            plan,
            self.run,
            locks.who(),
            self._options,
            self.stock.feed(plan.bring, self._stop.is_set),
        )

    def _stages(
        self, work: dict[str, steps.Work], record: ClusterRecord
    ) -> Sequence[Mapping[str, Sequence[Todo]]]:
        """Return host -> steps for each stage. A stage begins when all hosts have ended the one before."""
        if not work:
            return self._departing.drained()
        database, secrets = self._database.name, self._supply.secrets
        switched = {name: one for name, one in work.items() if not one.plan.keeps_generation}
        files = {name: one for name, one in switched.items() if one.plan.files_only}
        services = {name: one for name, one in switched.items() if name not in files}
        temporal = {name: one for name, one in services.items() if steps.beside_the_database(one)}
        groups = batches.batches([(one.host, one.plan) for one in temporal.values()])
        there = (host for host in self._cluster.hosts if host.name not in self._options.without)
        running = batches.running(there, {name: one.plan.starts for name, one in work.items()})
        late = batches.late(groups, self._cluster.hosts, running)
        begins = groups[0][0] if groups and running.isdisjoint(TEMPORAL_ROLES) else None

        def start(name: str) -> list[Step]:
            switched, waiting = name == database, late.get(name, ())
            return steps.start_temporal(work[name], switched=switched, begins=name == begins, late=waiting)

        ask = any(one.host.temporal_roles for one in temporal.values()) and database not in services
        stages: list[Mapping[str, Sequence[Todo]]] = [
            {database: [steps.local_login()]} if ask else {},
            {name: steps.prepare(one, self._supply) for name, one in work.items()},
            *self._departing.drained(),
            {database: steps.start_database(work[database], secrets)} if database in services else {},
            {database: self._departing.shut_out()},
            {database: [steps.members_gone()]} if begins else {},
            *({name: start(name) for name in group} for group in groups),
            {name: steps.start_late(work[name]) for name in late},
            *(
                {name: steps.switch_files(files[name]) for name in group}
                for group in batches.of_files(list(files))
            ),
            self._verify(switched, services, work.get(self._frontend)),
            {name: [steps.confirm(one), *self._kept.record(name, record)] for name, one in switched.items()},
        ]
        return [stage for stage in stages if any(stage.values())]

    def _verify(
        self, switched: dict[str, steps.Work], services: dict[str, steps.Work], frontend: steps.Work | None
    ) -> dict[str, list[Step]]:
        """Membership as in the inventory, namespaces; with several hosts, each one's containers as before.

        Nothing is confirmed anywhere before all of this holds everywhere.
        """
        database = self._database.name
        last: dict[str, list[Step]] = {name: [] for name in (*switched, database)}
        if any(one.host.temporal_roles for one in services.values()):
            lack = missing.may_lack(self._cluster, self._before, services, self._options.without)
            last[database].append(steps.members(self._cluster, lack))
            for host in self._cluster.with_role(Role.FRONTEND):
                if host.name in self._reached:
                    last.setdefault(host.name, []).append(steps.ring(self._cluster, host, lack))
        if frontend and (frontend.plan.namespaces or self._frontend in services):
            last.setdefault(self._frontend, []).append(steps.make_namespaces(self._cluster))
        for name, one in switched.items() if services and len(switched) > 1 else ():
            last[name].append(steps.still(one))
        return {name: todo for name, todo in last.items() if todo}
