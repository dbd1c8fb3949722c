"""Where hosts go that go back, and what speaks against it; they are asked, and nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tempo_infra.deploy import fitting, run_back
from tempo_infra.deploy.believed import Believed, believed
from tempo_infra.deploy.resume import ask_runs
from tempo_infra.errors import InputError, StepFailedError, UnreachableError
from tempo_infra.on_host import cluster_name
from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.runs import Runs


LISTED = "tempo-infra history lists them"
FORWARD = "take a run back on all of its hosts, or go forward with an inventory: tempo-infra provision"
NOTHING_KNOWN = fitting.Fit()
SHOWN = 4  # of generations that begin alike, of runs


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where each host would go, and why some would not."""

    to: dict[str, str]  # host -> generation
    now: dict[str, str | None]  # host -> generation; of all hosts that were asked
    stay: dict[str, str]  # host -> why it stays
    errors: dict[str, TempoInfraError] = field(default_factory=dict)
    run: str = ""  # that is taken back; empty: none
    fit: fitting.Fit = NOTHING_KNOWN  # the cluster as it would be
    notes: tuple[str, ...] = ()  # what to know before
    who: str = ""  # did what is taken back
    at: str = ""
    unsure: str = ""  # why it may not be what is meant, where no run was named: a person has to look


def way_back(
    fleet: Fleet, cluster: Cluster, hosts: Sequence[Host], to: str | None, run: str | None = None
) -> WayBack:
    """Find each host's generation: the named one (a prefix will do), or the one before a run; none: the last.

    "0" is what was there before the first provision, and no prefix. InputError for what no host knows.
    """
    answers, unread = ask_runs(fleet, hosts)
    errors: dict[str, TempoInfraError] = dict(_unfit(cluster, answers))
    if to is not None:
        way = _named(fleet, hosts, answers, to, dict(unread) | errors)
    elif errors or not answers:
        way = WayBack({}, {}, {}, dict(unread) | errors)
    else:
        way = _of_run(cluster, answers, unread, run)
    told = believed({name: runs.record for name, runs in answers.items()}, (cluster.name,))
    if to == ZERO:
        return replace(way, fit=fitting.Fit(now=told.newest, gone=told.gone), notes=told.doubts)
    return way if way.errors else _fitting(cluster, way, answers, told)


def _unfit(cluster: Cluster, answers: Mapping[str, Runs]) -> Iterator[tuple[str, TempoInfraError]]:
    """Yield the hosts that go nowhere now: another cluster's, and those that have not decided yet."""
    for name, runs in answers.items():
        if why := cluster_name.why_not(runs.cluster, cluster.name):
            yield name, StepFailedError(why, host=name)
        elif runs.open_run:
            what = f"run {runs.open_run} is not over here; it decides by itself in {runs.decides_in_s:.0f} s"
            remedy = f"tempo-infra resume {runs.open_run} waits for it"
            yield name, StepFailedError(what, host=name, remedy=remedy)


def _of_run(
    cluster: Cluster, answers: Mapping[str, Runs], unread: Mapping[str, TempoInfraError], wanted: str | None
) -> WayBack:
    """Return the way back before a run, on all hosts that it changed; or to what was confirmed, of strays."""
    pasts = {name: run_back.past(runs) for name, runs in answers.items()}
    now = {name: runs.current for name, runs in answers.items()}
    strays = {name: str(one.good) for name, one in pasts.items() if one.strays}
    if strays and wanted is None:
        stay = dict.fromkeys(answers.keys() - strays.keys(), "stays as it is")
        note = f"no run left {', '.join(strays)} on what is current there: back to what was confirmed last"
        return WayBack(
            strays, now, stay, dict(unread), notes=(note,), unsure=_not_all(strays) if stay else ""
        )
    found = run_back.last(pasts, answers) if wanted is None else run_back.Last(run_back.named(pasts, wanted))
    run = found.run
    way = WayBack({}, now, {}, {name: _stray(name) for name in strays}, run, unsure=_not_agreed(found))
    kept = run_back.recorded(answers.values(), run)
    for name, past in pasts.items():
        _before(way, cluster, name, past, kept.befores(name))
    notes = [found.doubt] if found.doubt else []
    for name, error in unread.items():
        if wanted is not None and kept.spared(name):
            notes.append(f"{name} can't be asked; run {run} did not change it")
        else:
            way.errors[name] = _unasked(
                error, name, run, named=wanted is not None, changed=kept.changed(name)
            )
    if left := [name for name in kept.all_changed if name not in {*answers, *unread}]:
        notes.append(f"run {run} changed {', '.join(left)}, too, which would stay as it is")
    done = next(one.changes[run] for one in pasts.values() if run in one.changes)
    if done.was_rollback and way.to:
        notes.append(f"run {run} was a rollback itself: taking it back goes forward again")
    return replace(way, notes=tuple(notes), who=done.who or "nobody knows whom", at=done.time)


def _not_agreed(found: run_back.Last) -> str:
    return f"{found.doubt}; name it: tempo-infra rollback {found.run}" if found.doubt else ""


def _not_all(strays: Collection[str]) -> str:
    words = " ".join(f"--host {name}" for name in strays)
    return f"this would take back no run, and move {', '.join(strays)} alone; name what is meant: {words}"


def _before(way: WayBack, cluster: Cluster, name: str, past: run_back.Past, told: Collection[str]) -> None:
    """Add where a host goes to be as it was before a run, or why it does not. `told`: by records of it."""
    change = past.changes.get(way.run)
    if change is None:
        way.stay[name] = f"was not changed by run {way.run}"
        return
    first = change.before == ZERO and {"", ZERO}.issuperset(told)
    if change.before == past.now:
        way.stay[name] = f"is as it was before run {way.run} already: {name_of(past.now)}"
    elif not past.is_on_top(way.run):
        way.errors.setdefault(name, _on_top(name, way.run, past.above(way.run)))
    elif change.before is None or (change.before == ZERO and not first):
        way.errors[name] = StepFailedError(f"nothing says what it was before run {way.run}", host=name)
    elif first and name == store(cluster).writer.name:
        what = f"run {way.run} was the first here: before it there was no database"
        remedy = "to stop everything, on all hosts:  tempo-infra rollback --to 0"
        way.errors[name] = StepFailedError(what, host=name, remedy=remedy)
    else:
        way.to[name] = change.before


def _stray(host: str) -> StepFailedError:
    what = "is on a generation that no run has left it on"
    return StepFailedError(what, host=host, remedy="tempo-infra rollback without a run puts that right first")


def _on_top(host: str, run: str, above: Sequence[str]) -> StepFailedError:
    what = f"was changed again after run {run}, by {', '.join(above[:SHOWN]) or 'what no run did'}"
    first = ", then ".join(f"`tempo-infra rollback {one}`" for one in [*above[:SHOWN], run])
    return StepFailedError(what, host=host, remedy=f"take back what came later first: {first}")


def _unasked(error: TempoInfraError, host: str, run: str, *, named: bool, changed: bool) -> UnreachableError:
    """Say why a host that can't be asked keeps the others where they are."""
    if not named:
        why = f"so it is not known which run was the last (of the others it is {run})"
        remedy = f"name the run: `tempo-infra rollback {run}`; or leave the host out: --host"
    else:
        why = f"and {'' if changed else 'no record says whether '}run {run} changed it"
        remedy = "when it is back, the same command; or without it: --host with the others' names"
    return UnreachableError(f"{error.what}; {why}", host=host, remedy=remedy)


def _fitting(cluster: Cluster, way: WayBack, answers: Mapping[str, Runs], told: Believed) -> WayBack:
    """Refuse generations that don't fit what the others are; say what is different and does no harm."""
    found = fitting.fit(answers, way.to, told)
    errors: dict[str, TempoInfraError] = {}
    for name in dict.fromkeys(name for name, _ in found.refused):
        what = "; ".join(why for where, why in found.refused if where == name)
        errors[name or cluster.name] = StepFailedError(what, host=name, remedy=FORWARD)
    return replace(way, errors=errors, fit=found, notes=(*way.notes, *found.notes))


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
