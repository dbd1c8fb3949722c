"""Going back by hand to a generation that was confirmed once; as guarded as going forward."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tempo_infra.deploy import locks
from tempo_infra.deploy.leave import living_off
from tempo_infra.deploy.put_back import put_back
from tempo_infra.deploy.resume import ask_runs
from tempo_infra.deploy.steps import note
from tempo_infra.errors import InputError, StepFailedError
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host import belongs
from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.steps import change
from tempo_infra.render import render
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.runs import Runs
    from tempo_infra.on_host.steps.step import Step


LISTED = "tempo-infra history lists them"
SHOWN = 4  # of generations that begin alike


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where each host would go, and why some would not."""

    to: dict[str, str]  # host -> generation
    now: dict[str, str | None]  # host -> generation
    stay: dict[str, str]  # host -> why it stays
    errors: dict[str, TempoInfraError] = field(default_factory=dict)


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
    """Whether the inventory means another generation than some host is on now."""
    try:
        meant = {one.host: one.digest for one in render(cluster, size(cluster))}
    except InputError:
        return True  # `plan` says what is wrong with it
    return any(meant[name] != generation for name, generation in way.to.items())


def way_back(fleet: Fleet, cluster: Cluster, hosts: Sequence[Host], to: str | None) -> WayBack:
    """Find each host's generation: the named one (a prefix will do), or the one confirmed before this.

    "0" is what was there before the first provision, and no prefix. InputError for a name that no host knows.
    """
    answers, unread = ask_runs(fleet, hosts)
    errors = dict(unread) | {
        name: StepFailedError(why, host=name)
        for name, runs in answers.items()
        if (why := belongs.why_not(runs.cluster, cluster.name))
    }
    targets: dict[str, str] = {}
    stay: dict[str, str] = {}
    known = [host for host in hosts if host.name in answers]
    wanted, unclear = fleet.each(known, lambda host: _target(answers[host.name], to))
    errors |= unclear
    if to not in (None, ZERO) and not errors and not any(wanted.values()):
        raise InputError(f"--to {to}: no host has a confirmed generation {to}", remedy=LISTED)
    for name, found in wanted.items():
        if found is None:
            stay[name] = _why_not(to)
        elif found == (answers[name].current or ZERO):
            stay[name] = f"is on {name_of(found)} already"
        else:
            targets[name] = found
    return WayBack(targets, {name: runs.current for name, runs in answers.items()}, stay, errors)


def _why_not(to: str | None) -> str:
    if to is None:
        return "has no generation before this one; --to 0 is what was there before the first provision"
    return f"has no {'' if to == ZERO else 'confirmed '}generation {to}"


def _target(runs: Runs, to: str | None) -> str | None:
    if to == ZERO:
        return ZERO if runs.zero or runs.current is None else None
    good: dict[str, None] = {}  # in the order in which they were confirmed last
    for entry in runs.entries:
        if entry.result == "confirmed" and entry.generation:
            good.pop(entry.generation, None)
            good[entry.generation] = None
    if to is None:
        before = [one for one in good if one != runs.current]
        return before[-1] if before else None
    found = [one for one in good if to and one.startswith(to)]
    if len(found) > 1:
        some = ", ".join(one[:12] for one in found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
        raise StepFailedError(f"--to {to}: {len(found)} generations begin so: {some}")
    return found[0] if found else None


def go_back(fleet: Fleet, cluster: Cluster, hosts: Sequence[Host], way: WayBack) -> Gone:
    """Go: the database first, then the others; confirmed when all are healthy, else all stay where they were.

    To generation 0 the database goes last: the others need it until they have stopped. KeyboardInterrupt
    ends it as a failure does.
    """
    run = randomness.token_hex(4)
    chosen = [host for host in hosts if host.name in way.to]
    database = [host for host in chosen if host.has(Role.POSTGRESQL)]
    others = [host for host in chosen if host not in database]
    order = [others, database] if ZERO in way.to.values() else [database, others]
    begun: list[list[Host]] = []
    if errors := _alone(cluster, way) or locks.take(fleet, chosen, run):
        return Gone(run, errors, dict.fromkeys(way.to, "as it was"))
    stopped = False
    try:
        for group in order:
            begun.append(group)
            if errors := fleet.do({host.name: _steps(cluster, host, way, run) for host in group}, group):
                break
        else:
            still = change.Still(run, cluster.timing.soak_s)
            errors = fleet.do({host.name: [still] for host in chosen}, chosen)
    except KeyboardInterrupt:
        errors, stopped = {}, True
    if errors or stopped:
        now, failures = _put_back(fleet, begun, errors, run)
        return Gone(run, {**errors, **failures}, now, stopped)
    confirm = change.Confirm(run, "rolled back by hand", cluster.timing.soak_s)
    return Gone(run, fleet.do({host.name: [confirm] for host in chosen}, chosen), {})


def _alone(cluster: Cluster, way: WayBack) -> dict[str, TempoInfraError]:
    """Refuse to take the database to generation 0 while a host stays that has none, and lives off it."""
    at_zero = {name for name, digest in way.now.items() if digest is None}
    going = {name for name, digest in way.to.items() if digest == ZERO}
    name = cluster.database_host.name
    left = living_off(cluster, cluster.only(at_zero | going)) if name in going else []
    what = f"it holds the database of {', '.join(left)}, which would stay"
    remedy = "`remove` without --host takes the whole cluster away; nothing was changed"
    return {name: StepFailedError(what, host=name, remedy=remedy)} if left else {}


def _steps(cluster: Cluster, host: Host, way: WayBack, run: str) -> list[Step]:
    digest = way.to[host.name]
    arm = change.Arm(
        run=run,
        who=locks.who(),
        digest=digest,
        seen=way.now[host.name],
        host=host.internal,
        take_over=[],
        grace_s=cluster.timing.decide_after_s,
        soak_s=cluster.timing.soak_s if digest != ZERO else 0.0,  # there nothing of ours has to last
    )
    return [
        locks.lock_step(run),
        note(run, f"rollback to {name_of(digest)}", locks.who()),
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
