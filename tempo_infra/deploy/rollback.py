"""Going back by hand to a generation that was confirmed once; as guarded as going forward."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from tempo_infra.deploy import locks
from tempo_infra.deploy.inspect import Supply
from tempo_infra.deploy.kept import described
from tempo_infra.deploy.leave import living_off
from tempo_infra.deploy.put_back import put_back
from tempo_infra.deploy.resume import ask_runs
from tempo_infra.deploy.since import BY_HAND
from tempo_infra.deploy.steps import note
from tempo_infra.errors import InputError, StepFailedError
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.cluster_record import MOST_GONE
from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.steps import change
from tempo_infra.render import render
from tempo_infra.secrets import SecretStore
from tempo_infra.sizing import size
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.feeding import Todo
    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.way_back import WayBack
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.cluster_record import ClusterRecord


@dataclass(frozen=True, slots=True)
class Gone:
    """How going back ended."""

    run: str
    errors: Mapping[str, TempoInfraError]
    now: dict[str, str]  # host -> what it is after a run that did not end well
    stopped: bool = False

    @property
    def ok(self) -> bool:
        return not self.errors and not self.stopped


def says_otherwise(cluster: Cluster, way: WayBack) -> bool:
    """Whether the inventory, with its secrets, means another generation than some host is on now."""
    try:
        found = SecretStore.open(cluster.secrets).look()
        known = Supply(found.secrets, found).known
        meant = {one.host: one.digest for one in render(cluster, size(cluster), known=known)}
    except InputError:
        return True  # `plan` says what is wrong with it, or with the secrets
    return any(meant[name] != generation for name, generation in way.to.items())


def roll_back(
    fleet: Fleet,
    cluster: Cluster,
    hosts: Sequence[Host],
    way: WayBack,
    images: Mapping[str, Sequence[Todo]] = MappingProxyType({}),
) -> Gone:
    """Go: the database first, then the others; confirmed when all are healthy, else all stay where they were.

    Who goes to generation 0 has the database until it has stopped: such hosts come first of all, and the
    database's own last. KeyboardInterrupt ends it as a failure does. `images`: what
    brings a host those that it lacks, before anything is armed.
    """
    run = randomness.token_hex(4)
    asked = [host for host in hosts if host.name in way.now]
    chosen = [host for host in hosts if host.name in way.to]
    begun: list[list[Host]] = []
    errors = _alone(cluster, way) or locks.take(fleet, asked if chosen else [], run)
    if errors := errors or _moved(fleet, [host for host in asked if host not in chosen], way):
        return Gone(run, errors, dict.fromkeys(way.to, "as it was"))
    stopped = False
    try:
        for group in _order(chosen, way):
            begun.append(group)
            if errors := fleet.do(
                {host.name: _steps(cluster, host, way, run, images) for host in group}, group
            ):
                break
        else:
            still = change.Still(run, cluster.timing.soak_s)
            errors = fleet.do({host.name: [still] for host in chosen}, chosen)
    except KeyboardInterrupt:
        errors, stopped = {}, True
    if errors or stopped:
        now, failures = _put_back(fleet, begun, errors, run)
        return Gone(run, {**errors, **failures}, now, stopped)
    confirm = change.Confirm(run, BY_HAND, cluster.timing.soak_s)
    errors = fleet.do({host.name: [confirm] for host in chosen}, chosen)
    if chosen and not errors:
        record = change.ClusterRecord(_record(cluster, way, run))
        errors = fleet.do({host.name: [record] for host in asked}, asked)
    return Gone(run, errors, {})


def _order(chosen: Sequence[Host], way: WayBack) -> list[list[Host]]:
    """Return the hosts of each stage."""
    places: list[list[Host]] = [[], [], [], []]
    for host in chosen:
        database, away = host.has(Role.POSTGRESQL), way.to[host.name] == ZERO
        places[(3 if database else 0) if away else (1 if database else 2)].append(host)
    return [group for group in places if group]


def _moved(fleet: Fleet, stay: Sequence[Host], way: WayBack) -> dict[str, TempoInfraError]:
    """Say which hosts that stay are not what they were when the way was found: they are locked now.

    Those that go look for themselves, when they are armed.
    """
    answers, errors = ask_runs(fleet, stay if way.to else [])
    moved = {
        name: StepFailedError(
            f"was changed meanwhile: it is on {name_of(runs.current)}",
            host=name,
            remedy="nothing was changed; run the same command again",
        )
        for name, runs in answers.items()
        if runs.current != way.now[name]
    }
    return {**errors, **moved}


def _record(cluster: Cluster, way: WayBack, run: str) -> ClusterRecord:
    """Return what the cluster is once all have gone."""
    generations = {name: (way.to.get(name, now or ""), now or "") for name, now in way.now.items()}
    made = described(cluster, run, generations, way.fit.inventory)
    if way.fit.now is None:
        return made
    made = replace(made, alike=way.fit.now.alike, gone=way.fit.gone[:MOST_GONE])
    members = (
        replace(one, generation=after, before=before)
        for one in way.fit.members
        for after, before in [generations.get(one.name, ("", ""))]
    )
    return replace(made, members=tuple(members)) if way.fit.members else made


def _alone(cluster: Cluster, way: WayBack) -> dict[str, TempoInfraError]:
    """Refuse to take the database to generation 0 while a host stays that has none, and lives off it."""
    at_zero = {name for name, digest in way.now.items() if digest is None}
    going = {name for name, digest in way.to.items() if digest == ZERO}
    name = store(cluster).writer.name
    left = living_off(cluster, cluster.only(at_zero | going)) if name in going else []
    what = f"it holds the database of {', '.join(left)}, which would stay"
    remedy = "`remove` without --host takes the whole cluster away; nothing was changed"
    return {name: StepFailedError(what, host=name, remedy=remedy)} if left else {}


def _steps(
    cluster: Cluster, host: Host, way: WayBack, run: str, images: Mapping[str, Sequence[Todo]]
) -> list[Todo]:
    digest = way.to[host.name]
    internal = next((one.internal for one in way.fit.members if one.name == host.name), host.internal)
    arm = change.Arm(
        run=run,
        who=locks.who(),
        digest=digest,
        seen=way.now[host.name],
        host=internal,  # that its services will have then
        take_over=[],
        grace_s=cluster.timing.decide_after_s,
        soak_s=cluster.timing.soak_s if digest != ZERO else 0.0,  # there nothing of ours has to last
    )
    return [
        locks.lock_step(run),
        note(run, f"rollback to {name_of(digest)}", locks.who()),
        *images.get(host.name, ()),
        arm,
        change.Switch(digest, {}),
        change.BeforeOurs() if digest == ZERO else change.Up([], remove_orphans=True),
        change.Healthy(run),
    ]


def _put_back(
    fleet: Fleet, begun: Sequence[Sequence[Host]], errors: Mapping[str, TempoInfraError], run: str
) -> tuple[dict[str, str], dict[str, TempoInfraError]]:
    """Put back what was begun, the last first; who failed has decided already. What hosts are, and errors."""
    now = {name: e.now for name, e in errors.items() if isinstance(e, StepFailedError) and e.now}
    order = change.Rollback(run, "another host could not go back" if errors else "stopped by the operator")
    failed: dict[str, TempoInfraError] = {}
    for group in reversed(begun):
        left = [host for host in group if host.name not in errors]
        told, failures = put_back(fleet, {host.name: [order] for host in left}, left)
        now |= told
        failed |= failures
    return now, failed
