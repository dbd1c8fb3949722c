"""Taking hosts out of the cluster that left the inventory: asked what runs there, drained, stopped, shut out.

The order is what keeps workflows going: a server that loses the database first stays in the ring, and owns
shards that it can't serve. So it stops before its access is cut; who can't be told to has to be silent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.deploy import locks
from tempo_infra.deploy.believed import NOTHING, Believed, believed
from tempo_infra.deploy.departed import Departed, departed
from tempo_infra.deploy.maintain import ONE_HOST
from tempo_infra.deploy.steps import note
from tempo_infra.errors import InputError, UnreachableError
from tempo_infra.hints import hint
from tempo_infra.inventory.addresses import split_port
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.on_host.cluster_record import MOST_GONE, Member
from tempo_infra.on_host.departing import Found
from tempo_infra.on_host.steps import change, reading, upkeep
from tempo_infra.ssh import resolve
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.options import Options
    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.state import HostState
    from tempo_infra.on_host.steps.step import Step

    Stage = dict[str, list[Step]]

ORDER = (*ONE_HOST, str(Role.POSTGRESQL))  # the others write down in it what they hand over
MOST_ASKED = 40  # of those that nobody named: where they are is a host's word, and each may keep us waiting


def refuse_present(cluster: Cluster, chosen: Collection[Host], gone: Iterable[str]) -> None:
    """Raise InputError for a host of the file, or when the database's host is not among the chosen."""
    for name in gone:
        for host in cluster.hosts:
            if name in (host.name, host.internal):
                raise InputError(
                    f"--gone {name}: {host.name} is in {cluster.path}",
                    remedy="take it out of the file first; nothing was contacted",
                )
        if store(cluster).writer not in chosen:
            raise InputError(
                f"--gone {name}: {store(cluster).writer.name} has to shut it out, and is not among the hosts",
                remedy="leave out --host; nothing was contacted",
            )


@dataclass
class Departing:
    """The hosts of one run that left the inventory."""

    cluster: Cluster
    fleet: Fleet
    run: str
    options: Options
    found: tuple[Departed, ...] = ()
    knocking: tuple[Departed, ...] = ()  # those that are shut out, and not asked for
    _told: Believed = NOTHING
    _frontends: Sequence[str] = ()
    _database_runs: bool = False

    def find(self, states: Mapping[str, HostState], *, lock: bool) -> dict[str, TempoInfraError]:
        """Find who left, and ask what runs there; the errors are of those that others are at work on."""
        self._frontends = [name for name, state in states.items() if state.ring]  # that say so
        database = states.get(store(self.cluster).writer.name)
        self._database_runs = bool(database and database.live.databases)
        names = (self.cluster.name, *filter(None, (self.options.renamed_from,)))
        self._told = believed({name: state.record for name, state in states.items()}, names)
        asked = self.options.gone
        found = {one.name: one for one in departed(self.cluster, states, self._told, asked)}
        named = {one.name for one in found.values() if _is_named(one, asked)}
        may_be_asked = [one for one in found.values() if one.ssh and (one.name in named or not one.only_by)]
        ssh = sorted(may_be_asked, key=lambda one: one.name not in named)
        chosen = [self._host(one) for one in ssh[: max(MOST_ASKED, len(named))]]
        no_way = {host.name: error for host in chosen if (error := _no_way(host))}
        hosts = [host for host in chosen if host.name not in no_way]
        begin = [locks.lock_step(self.run, self.options.lock_wait_s)] if lock else []
        steps = {
            host.name: [*(begin if _is_taken_out(found[host.name], asked) else []), reading.Departed()]
            for host in hosts
        }
        answers, failed = self.fleet.ask(steps, hosts, Found)
        errors = failed | no_way
        own = {host.internal for host in self.cluster.hosts}
        left = [
            self._asked(one, answers.get(name), errors.get(name))
            for name, one in found.items()
            if name not in answers or not own & set(answers[name].addresses)
        ]
        self.found = tuple(one for one in left if _is_taken_out(one, asked))
        self.knocking = tuple(one for one in left if one not in self.found)
        return {name: error for name, error in errors.items() if locks.refused({name: error})}

    def _asked(self, one: Departed, answer: Found | None, error: TempoInfraError | None) -> Departed:
        """Return what is known of it after it was asked: it may be another cluster's by now."""
        if answer is None:
            return replace(one, why=error.what) if error else one
        if "." in one.internal and answer.addresses and one.internal not in answer.addresses:  # IPv4's alone
            return replace(one, ssh="", why=f"the machine that answers there does not have {one.internal}")
        if answer.cluster in ("", self.cluster.name, self.options.renamed_from):
            return replace(one, runs=tuple(answer.services))
        return replace(one, ssh="", why=f"it belongs to the cluster {answer.cluster} now")

    def _host(self, one: Departed) -> Host:
        """Return how to reach it: as it was reached, with the keys and pins of this inventory."""
        like = self.cluster.hosts[0]
        user, _, place = one.ssh.rpartition("@")
        address, port = split_port(place)
        ssh = replace(like.ssh, address=address, port=port or like.ssh.port, user=user or like.ssh.user)
        return replace(like, name=one.name, ssh=ssh, internal=one.internal, roles=(), labels={})

    @property
    def hosts(self) -> list[Host]:
        """Those that a run talks to: what runs there is known."""
        return [self._host(one) for one in self.found if one.runs is not None]

    def outages(self, plans: Iterable[HostPlan]) -> list[str]:
        """Say what stands still from when these stop until others serve: roles that nobody else runs now."""
        starts = {plan.host: plan.starts for plan in plans}
        return [
            f"{one.name} leaves: {role}: {components.of(role).alone} until {', '.join(others)} serves"
            for one in self.found
            for role in TEMPORAL_ROLES
            if role in (one.runs or ())
            and (others := [host.name for host in self.cluster.with_role(role)])
            and all(role in starts.get(name, ()) for name in others)
        ]

    @property
    def risks(self) -> list[str]:
        """Say who is shut out and is back, who was asked for and is not there, and what is not believed."""
        found = [
            f"{one.name} was taken out of the cluster, and is back ({one.state}); "
            f"`{hint(f'provision --gone {one.name}', self.cluster.path)}` stops what runs there"
            for one in self.knocking
        ]
        there = {name for one in self.found for name in (one.name, one.internal)}
        return [
            *self._told.doubts,
            *found,
            *(f"--gone {name}: nobody knows it" for name in self.options.gone if name not in there),
        ]

    def remembered(self) -> tuple[Member, ...]:
        """Return who may come back: shut out before or by this run, and not stopped by it."""
        here = {host.internal for host in self.cluster.hosts}
        stopped = {one.internal for one in self.found if one.runs is not None}
        now = [Member(one.name, one.internal, one.roles, "", "", one.ssh) for one in self.found if one.ssh]
        found = {one.internal: one for one in (*self._told.gone, *now)}
        left = [one for address, one in found.items() if address not in here | stopped]
        own = {one.internal for one in now}
        return tuple(sorted(left, key=lambda one: one.internal not in own)[:MOST_GONE])  # this run's first

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Who can't be taken out, and why."""
        return [(one.name, _why_it_stays(one)) for one in self.found if self._holds_data(one)]

    @property
    def unasked(self) -> list[tuple[str, str]]:
        """Who could be taken out, and was not asked for; and what to do."""
        gone = set(self.options.gone)
        left = [
            one for one in self.found if not {one.name, one.internal} & gone and not self._holds_data(one)
        ]
        return [(one.name, self._unasked(one)) for one in left]

    def _holds_data(self, one: Departed) -> bool:
        return Role.POSTGRESQL in one.roles and bool(one.runs or not self.options.new_database)

    def _unasked(self, one: Departed) -> str:
        unreachable = (
            ", and no host remembers how ssh reaches it: where it is alive, it is first removed with an "
            "inventory that still names it"
        )
        unknown = "" if one.ssh else unreachable
        return (
            f"left the inventory, and is still in the cluster ({one.state}); "
            f"`{hint(f'provision --gone {one.name}', self.cluster.path)}` stops its services before its "
            f"access to the database ends, its data stays{unknown}; or put it back into the file"
        )

    def before(self) -> list[Stage]:
        """Return the stages before any change: who was not reached has fallen silent."""
        return self._silence([one for one in self.found if one.runs is None])

    def drained(self) -> list[Stage]:
        """Return the stages in which services stop, while the others still know how to go on without them."""
        running = {one.name: one.runs for one in self.found if one.runs}
        stops = {
            name: [
                note(self.run, "it left the inventory", locks.who()),
                upkeep.Drain([one for one in ORDER if one in runs]),
            ]
            for name, runs in running.items()
        }
        return [stops, *self._silence([one for one in self.found if one.runs])] if stops else []

    def _silence(self, gone: Sequence[Departed]) -> list[Stage]:
        """Return what waits until the ring and the database know nothing more of these."""
        addresses = [one.internal for one in gone]
        if not addresses:
            return []
        port = components.port("frontend", "grpc")
        stage: Stage = {
            name: [upkeep.OutOfRing(addresses, self.cluster.host(name).internal, port)]
            for name in self._frontends
        }
        if self._database_runs:
            stage.setdefault(store(self.cluster).writer.name, []).append(upkeep.Silent(addresses))
        return [stage]

    def shut_out(self) -> list[Step]:
        """Return what the database host does once its pg_hba.conf is the new one."""
        addresses = [one.internal for one in self.found]
        return [change.EndSessions(addresses)] if addresses and self._database_runs else []

    def removed(self) -> Stage:
        """Return what is done when all else is confirmed: our files and passwords leave those hosts."""
        return {
            one.name: [upkeep.Remove(self.run, self.cluster.name)]
            for one in self.found
            if one.runs is not None
        }

    def put_back(self) -> dict[str, str]:
        """Start what was stopped; what these hosts are now."""
        hosts = [host for host in self.hosts if self.fleet.at.get(host.name) == "drain"]
        errors = self.fleet.do({host.name: [change.Up([])] for host in hosts}, hosts)
        return {
            host.name: f"its services are stopped: {errors[host.name].what}"
            if host.name in errors
            else "its services run again"
            for host in hosts
        }


def _why_it_stays(one: Departed) -> str:
    return (
        f"left the inventory ({one.state}), and holds the database, which can't be moved to another host "
        "yet: put it back into the file; if its data is lost for good, --new-database makes an empty one "
        "elsewhere"
    )


def _no_way(host: Host) -> UnreachableError | None:
    """Say what of the operator's own ssh configuration keeps us from a place that a host has named."""
    try:
        resolve(host.name, host.ssh)
    except InputError as error:  # of the file's hosts it would end the run
        return UnreachableError(error.what, host=host.name)
    return None


def _is_taken_out(one: Departed, asked: Collection[str]) -> bool:
    """Whether a run is about it: who is shut out already only when it is asked for."""
    return not one.shut_out or _is_named(one, asked)


def _is_named(one: Departed, asked: Collection[str]) -> bool:
    return not {one.name, one.internal}.isdisjoint(asked)
