"""Taking hosts out of the cluster that left the inventory: asked what runs there, drained, stopped, shut out.

The order is what keeps workflows going: a server that loses the database first stays in the ring, and owns
shards that it can't serve. So it stops before its access is cut; who can't be told to has to be silent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tempo_infra.deploy import locks
from tempo_infra.deploy.departed import Departed, departed
from tempo_infra.deploy.maintain import ONE_HOST
from tempo_infra.deploy.steps import note
from tempo_infra.errors import InputError
from tempo_infra.hints import hint
from tempo_infra.inventory.addresses import split_port
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.departing import Found
from tempo_infra.on_host.steps import change, reading, upkeep
from tempo_infra.sizing.temporal import PORTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tempo_infra.deploy.departed import Known
    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.options import Options
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.state import HostState
    from tempo_infra.on_host.steps.step import Step

    Stage = dict[str, list[Step]]

ORDER = (*ONE_HOST, str(Role.POSTGRESQL))  # the others write down in it what they hand over


def refuse_present(cluster: Cluster, chosen: Collection[Host], gone: Iterable[str]) -> None:
    """Raise InputError for a host of the file, or when the database's host is not among the chosen."""
    for name in gone:
        for host in cluster.hosts:
            if name in (host.name, host.internal):
                raise InputError(
                    f"--gone {name}: {host.name} is in {cluster.path}",
                    remedy="take it out of the file first; nothing was contacted",
                )
        if cluster.database_host not in chosen:
            raise InputError(
                f"--gone {name}: {cluster.database_host.name} has to shut it out, and is not among the hosts",
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
    _frontends: Sequence[str] = ()
    _database_runs: bool = False

    def find(
        self, states: Mapping[str, HostState], known: Iterable[Known], *, lock: bool
    ) -> dict[str, TempoInfraError]:
        """Find who left, and ask what runs there; the errors are of those that others are at work on."""
        self._frontends = [name for name, state in states.items() if state.ring]  # that say so
        database = states.get(self.cluster.database_host.name)
        self._database_runs = bool(database and database.live.databases)
        found = {one.name: one for one in departed(self.cluster, states, known)}
        hosts = [self._host(one) for one in found.values() if one.ssh]
        first = [locks.lock_step(self.run, self.options.lock_wait_s)] if lock else []
        answers, errors = self.fleet.ask(
            {host.name: [*first, reading.Departed()] for host in hosts}, hosts, Found
        )
        silent = {name: replace(found[name], why=error.what) for name, error in errors.items()}
        asked = {name: replace(found[name], runs=self._runs(one)) for name, one in answers.items()}
        own = {host.internal for host in self.cluster.hosts}
        here = {name for name, one in answers.items() if own & set(one.addresses)}
        everyone = {**found, **silent, **asked}
        self.found = tuple(one for name, one in everyone.items() if name not in here)
        return {name: error for name, error in errors.items() if locks.refused({name: error})}

    def _runs(self, found: Found) -> tuple[str, ...]:
        """Return what runs of this cluster's: a host may be another one's by now."""
        ours = found.cluster in ("", self.cluster.name, self.options.renamed_from)
        return tuple(found.services) if ours else ()

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

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Who can't be taken out, and why."""
        return [(one.name, _holds_data(one)) for one in self.found if self._holds_data(one)]

    @property
    def unasked(self) -> list[tuple[str, str]]:
        """Who could be taken out, and was not asked for; and what to do."""
        left = [one for one in self.found if one.name not in self.options.gone and not self._holds_data(one)]
        return [(one.name, self._unasked(one)) for one in left]

    def _holds_data(self, one: Departed) -> bool:
        return Role.POSTGRESQL in one.roles and bool(one.runs or not self.options.new_database)

    def _unasked(self, one: Departed) -> str:
        known = (
            ""
            if one.ssh
            else (
                ", and no host remembers how ssh reaches it: where it is alive, it is first removed with an "
                "inventory that still names it"
            )
        )
        return (
            f"left the inventory, and is still in the cluster ({one.state}); "
            f"`{hint(f'provision --gone {one.name}', self.cluster.path)}` stops its services before its "
            f"access to the database ends, its data stays{known}; or put it back into the file"
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
        port = PORTS[Role.FRONTEND].grpc
        stage: Stage = {
            name: [upkeep.OutOfRing(addresses, self.cluster.host(name).internal, port)]
            for name in self._frontends
        }
        if self._database_runs:
            stage.setdefault(self.cluster.database_host.name, []).append(upkeep.Silent(addresses))
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


def _holds_data(one: Departed) -> str:
    return (
        f"left the inventory ({one.state}), and holds the database, which can't be moved to another host "
        "yet: put it back into the file; if its data is lost for good, --new-database makes an empty one "
        "elsewhere"
    )
