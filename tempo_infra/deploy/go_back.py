"""Going back by hand to a generation that was confirmed once; as guarded as going forward."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tempo_infra.deploy import locks, run_back
from tempo_infra.deploy.kept import described
from tempo_infra.deploy.leave import living_off
from tempo_infra.deploy.put_back import put_back
from tempo_infra.deploy.resume import ask_runs
from tempo_infra.deploy.steps import health_ports, note
from tempo_infra.errors import InputError, StepFailedError, UnreachableError
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
    from tempo_infra.on_host.cluster_record import ClusterRecord, Member
    from tempo_infra.on_host.runs import Runs
    from tempo_infra.on_host.steps.step import Step


LISTED = "tempo-infra history lists them"
SHOWN = 4  # of generations that begin alike


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where each host would go, and why some would not."""

    to: dict[str, str]  # host -> generation
    now: dict[str, str | None]  # host -> generation; of all hosts that were asked
    stay: dict[str, str]  # host -> why it stays
    errors: dict[str, TempoInfraError] = field(default_factory=dict)
    run: str = ""  # that is taken back; empty: a generation was named
    members: tuple[Member, ...] = ()  # the cluster as it would be; empty: no host has a record of it
    alike: tuple[tuple[str, str], ...] = ()
    inventory: str = ""  # sha256 of the one that all of these generations came of
    notes: tuple[str, ...] = ()  # what to know before
    who: str = ""  # did what is taken back
    at: str = ""


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


def way_back(
    fleet: Fleet, cluster: Cluster, hosts: Sequence[Host], to: str | None, run: str | None = None
) -> WayBack:
    """Find each host's generation: the named one (a prefix will do), or the one before a run; none: the last.

    "0" is what was there before the first provision, and no prefix. InputError for what no host knows.
    """
    answers, unread = ask_runs(fleet, hosts)
    errors: dict[str, TempoInfraError] = {
        name: StepFailedError(why, host=name)
        for name, runs in answers.items()
        if (why := belongs.why_not(runs.cluster, cluster.name))
    }
    if to is not None:
        way = _named(fleet, hosts, answers, to, dict(unread) | errors)
    else:
        way = _before_run(answers, unread, run, errors)
    return way if to == ZERO or way.errors else _fitting(way, answers)


def _before_run(
    answers: Mapping[str, Runs],
    unread: Mapping[str, TempoInfraError],
    wanted: str | None,
    errors: dict[str, TempoInfraError],
) -> WayBack:
    """Return the way back before a run, on all hosts that it changed, or on none."""
    now = {name: runs.current for name, runs in answers.items()}
    if errors or not answers:
        return WayBack({}, now, {}, dict(unread) | errors)
    run = run_back.chosen(answers, wanted)
    record = run_back.record_of(answers.values(), run)
    targets, stay = {}, {}
    for name, runs in answers.items():
        change = run_back.of_run(runs, run)
        if change is None:
            stay[name] = f"was not changed by run {run}"
        elif above := run_back.runs_on_top(runs, run):
            errors[name] = _on_top(name, run, above)
        elif change.before in (None, ZERO):
            errors[name] = StepFailedError(
                f"has no generation before run {run}",
                host=name,
                remedy="--to 0 is what was there before the first provision; nothing was changed",
            )
        else:
            targets[name] = str(change.before)
    notes = []
    for name, error in unread.items():
        member = record.member(name) if record is not None else None
        if wanted is not None and member is not None and member.generation and not member.changed:
            notes.append(f"{name} can't be asked; run {run} did not change it")
        else:
            errors[name] = _unasked(error, name, run, named=wanted is not None, member=member)
    if record is not None:
        others = [one.name for one in record.members if one.changed and one.name not in {*answers, *unread}]
        notes += [f"run {run} changed {', '.join(others)}, too, which would stay as it is"] if others else []
    done = next(one for runs in answers.values() for one in run_back.changes(runs) if one.run == run)
    return WayBack(
        targets, now, stay, errors, run, notes=tuple(notes), who=done.who or "nobody knows whom", at=done.time
    )


def _on_top(host: str, run: str, above: Sequence[str]) -> StepFailedError:
    first = ", then ".join(f"`rollback {one}`" for one in [*reversed(above), run])
    what = f"was changed again after run {run}, by {', '.join(above)}"
    return StepFailedError(what, host=host, remedy=f"take back what came later first: {first}")


def _unasked(
    error: TempoInfraError, host: str, run: str, *, named: bool, member: Member | None
) -> UnreachableError:
    """Say why a host that can't be asked keeps the others where they are."""
    if not named:
        why = f"so it is not known which run was the last (of the others it is {run})"
        remedy = f"name the run: `rollback {run}`; or leave the host out: --host"
    elif member is None or not member.generation:
        why = f"and no record says whether run {run} changed it"
        remedy = "when it is back, the same command; or without it: --host with the others' names"
    else:
        why = f"and run {run} changed it: the others would be left between"
        remedy = "when it is back, the same command; or without it: --host with the others' names"
    return UnreachableError(f"{error.what}; {why}", host=host, remedy=remedy)


def _fitting(way: WayBack, answers: Mapping[str, Runs]) -> WayBack:
    """Refuse generations that don't fit what the others are; say what is different and does no harm."""
    found = run_back.fit(answers, way.to)
    remedy = (
        "nothing was changed; take the run back on all of its hosts, or go forward: tempo-infra provision"
    )
    errors: dict[str, TempoInfraError] = {
        what: StepFailedError(what, remedy=remedy) for what in found.refused
    }
    return replace(
        way,
        errors={**way.errors, **errors},
        members=found.members,
        alike=found.alike,
        inventory=found.inventory,
        notes=(*way.notes, *found.notes),
    )


def _named(
    fleet: Fleet,
    hosts: Sequence[Host],
    answers: Mapping[str, Runs],
    to: str,
    errors: dict[str, TempoInfraError],
) -> WayBack:
    targets: dict[str, str] = {}
    stay: dict[str, str] = {}
    known = [host for host in hosts if host.name in answers]
    wanted, unclear = fleet.each(known, lambda host: _target(answers[host.name], to))
    errors |= unclear
    if to != ZERO and not errors and not any(wanted.values()):
        raise InputError(f"--to {to}: no host has a confirmed generation {to}", remedy=LISTED)
    for name, found in wanted.items():
        if found is None:
            stay[name] = f"has no {'' if to == ZERO else 'confirmed '}generation {to}"
        elif found == (answers[name].current or ZERO):
            stay[name] = f"is on {name_of(found)} already"
        else:
            targets[name] = found
    return WayBack(targets, {name: runs.current for name, runs in answers.items()}, stay, errors)


def _target(runs: Runs, to: str) -> str | None:
    if to == ZERO:
        return ZERO if runs.zero or runs.current is None else None
    good = dict.fromkeys(
        one.generation for one in runs.entries if one.result == "confirmed" and one.generation
    )
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
    asked = [host for host in hosts if host.name in way.now]
    chosen = [host for host in hosts if host.name in way.to]
    database = [host for host in chosen if host.has(Role.POSTGRESQL)]
    others = [host for host in chosen if host not in database]
    order = [others, database] if ZERO in way.to.values() else [database, others]
    begun: list[list[Host]] = []
    if errors := _alone(cluster, way) or locks.take(fleet, asked if chosen else [], run):
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
    record = change.ClusterRecord(_record(cluster, way, run))
    confirm = change.Confirm(run, "rolled back by hand", cluster.timing.soak_s)
    errors = fleet.do({host.name: [confirm] for host in chosen}, chosen)
    if chosen and not errors:
        errors = fleet.do({host.name: [record] for host in asked}, asked)
    return Gone(run, errors, {})


def _record(cluster: Cluster, way: WayBack, run: str) -> ClusterRecord:
    """Return what the cluster is once all have gone."""
    now = {name: digest or "" for name, digest in way.now.items()}
    generations = {name: (way.to.get(name, digest), digest) for name, digest in now.items()}
    made = described(cluster, run, generations, way.inventory)
    if not way.members:
        return made
    after = {one.name: one for one in made.members}
    members = (
        replace(one, generation=after[one.name].generation, before=after[one.name].before)
        if one.name in after
        else replace(one, generation="", before="")
        for one in way.members
    )
    return replace(made, members=tuple(members), alike=way.alike)


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
    internal = next((one.internal for one in way.members if one.name == host.name), host.internal)
    arm = change.Arm(
        run=run,
        who=locks.who(),
        digest=digest,
        seen=way.now[host.name],
        host=internal,  # that its services will have then
        ports=health_ports(),
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
