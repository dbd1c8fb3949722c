"""A plan for people: per host what changes, what restarts, and what stands in the way."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tempo_infra.components import COMPONENTS
from tempo_infra.deploy.namespaces import span
from tempo_infra.report.errors import errors_json
from tempo_infra.report.wrapping import WIDTH, lines
from tempo_infra.sizing.budgets.rule import mib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.deploy.bringing import Bring
    from tempo_infra.deploy.plan import HostPlan, SecretChange
    from tempo_infra.deploy.restarts import Restart
    from tempo_infra.deploy.run import Plan
    from tempo_infra.deploy.values import ValueChange
    from tempo_infra.errors import TempoInfraError


PATH = 46  # columns of a file's name


def plan_lines(plan: Plan, *, diffs: bool) -> Iterator[str]:
    """Yield the lines of a plan; with diffs, each file's unified diff below its name."""
    quiet = plan.is_noop and not plan.errors and not plan.problems
    yield from _departed_lines(plan)
    for host in plan.hosts:
        known = plan.warnings.get(host.host, ())
        if known or not quiet:  # a warning is as true where nothing is to be done
            yield from _host_lines(host, diffs=diffs)
        for warning in known:
            yield from _wrapped(f"  ! {warning}", 4)
    for name, error in plan.errors.items():
        yield from _error_lines(name, error)
    for where, problem in plan.against:
        yield from _wrapped(f"✗ {where}: {problem}", 2)
    for own in plan.own:
        yield from _wrapped(f"! {own.line}", 2)
    if plan.readers:
        yield from _wrapped(f"who can open the secrets: {'; '.join(plan.readers)}", 2)
    yield from since_lines(plan)
    yield from _ends(plan)


def agreement_lines(plan: Plan) -> Iterator[str]:
    """Yield what a person agrees to: what happens on each host, without the files one by one."""
    yield from _departed_lines(plan)
    for host in plan.hosts:
        known = plan.warnings.get(host.host, ())
        if host.is_noop and not known:
            continue
        files = len(host.changes)
        count = f"{_count(files, 'file')} change{'s' if files == 1 else ''}"
        yield f"{host.host:<12}{count}" if files else host.host
        for note in (*host.notes, *known):
            yield from _wrapped(f"  ! {note}", 4)
        yield from _effect_lines(host)
    yield from _ends(plan)


def _departed_lines(plan: Plan) -> Iterator[str]:
    """Yield who leaves the cluster, what stops there, and what that means; who was not named is a problem."""
    unasked = dict(plan.unasked)
    for one in plan.departed:
        if one.name in unasked:
            yield from _wrapped(f"{one.name:<12}✗ {unasked[one.name]}", 14)
            continue
        yield from _wrapped(f"{one.name:<12}leaves the cluster ({one.state})", 14)
        if one.runs:
            yield from _wrapped(f"    stops {', '.join(one.runs)}, in order; its data stays", 6)
        elif one.runs is None:
            yield from _wrapped("    nothing is done there: it has to be silent before its access ends", 6)
    for name in plan.without:
        yield f"{name:<12}left out: it stays as it is"


def since_lines(plan: Plan, *, undone: bool = False) -> Iterator[str]:
    """Yield who changed these hosts last, and what of that would be undone; `undone`: only that."""
    for one in (one for one in plan.since if one.undoes or not undone):
        yield from _wrapped(f"{'! ' if one.undoes else ''}{one.line}", 2)


def _ends(plan: Plan) -> Iterator[str]:
    for risk in plan.risks:
        yield from _wrapped(f"! {risk}", 2)
    yield from _wrapped(plan_summary(plan), 2)


def _error_lines(name: str, error: TempoInfraError) -> Iterator[str]:
    """Each line by itself: figures stay below each other, and a command that has a line is copied whole."""
    first, *rest = error.what.splitlines()
    yield from _wrapped(f"{name:<12}? {first}", 14)
    for line in (*rest, *error.remedy.splitlines()):
        yield from _wrapped(f"              {line.strip()}", 16)


def _wrapped(text: str, indent: int) -> Iterator[str]:
    """Break at spaces; what follows the first line is indented. A long word is never cut."""
    head = len(text) - len(text.lstrip())
    yield from lines(text.lstrip(), " " * head, " " * indent)


def _host_lines(plan: HostPlan, *, diffs: bool) -> Iterator[str]:
    if plan.is_noop and not plan.problems:
        yield f"{plan.host:<12}nothing to do"
        return
    yield plan.host
    for problem in plan.problems:
        yield from _wrapped(f"  ✗ {problem}", 4)
    for note in plan.notes:
        yield from _wrapped(f"  ! {note}", 4)
    yield from _change_lines(plan, diffs=diffs)
    yield from _effect_lines(plan)


def _effect_lines(plan: HostPlan) -> Iterator[str]:
    for path in plan.take_over:
        yield from _wrapped(
            f"  ! /{path} was changed on the host; a copy is kept in /var/lib/tempo-infra/taken-over", 4
        )
    for folder in plan.repair:
        yield from _wrapped(
            f"  ! {folder} was edited on the host; it is put right, and kept in taken-over", 4
        )
    for wrong in plan.wrong:
        yield from _row("~", wrong.path, f"{wrong.found}, should be {wrong.wanted}")
    for one in plan.namespaces:
        had = f"{span(one.had_s)} -> " if one.had_s is not None else ""
        action = "+" if one.had_s is None else "~"
        yield from _row(action, f"namespace {one.name}", f"retention {had}{span(one.wanted_s)}")
    for secret in plan.secrets:
        yield from _secret_lines(secret)
    yield from _origin_lines(plan)
    for restart in plan.restarts:
        yield from _restart_lines(restart)
    for reload in plan.reloads:
        yield from _wrapped(f"    reloads {reload.service}: {', '.join(reload.files)}; it runs on", 6)
    yield from _start_lines(plan)
    if plan.new_data and not plan.problems:
        yield "    PostgreSQL makes an empty database in /srv/tempo/postgres"
    if plan.pull:
        yield from _wrapped(f"    pulls {', '.join(image.partition('@')[0] for image in plan.pull)}", 6)
    yield from _bring_lines(plan.bring)


def _bring_lines(bring: Bring) -> Iterator[str]:
    if bring.contents:
        size = mib(bring.bytes)
        yield from _wrapped(f"    is sent {', '.join(bring.contents)}: {size}, less once compressed", 6)
    if bring.names:
        yield from _wrapped(f"    has {', '.join(bring.names)} under another name", 6)


def _secret_lines(secret: SecretChange) -> Iterator[str]:
    """Say that a secret changes, and what that does. Digests say nothing of it."""
    action = "-" if secret.new is None else "~" if secret.old else "+"
    effect = f"   ({secret.effect})" if secret.effect and secret.old else ""
    words = (
        f"{secret.old or 'none'} -> {secret.new}{effect}" if secret.new else "nothing here reads it any more"
    )
    yield from _row(action, f"secrets/{secret.name}", words)


def _start_lines(plan: HostPlan) -> Iterator[str]:
    for name in (one for one in plan.starts if one in plan.found):
        yield from _wrapped(f"    starts {name}: {plan.found[name]}", 6)
    new = tuple(one for one in plan.starts if one not in plan.found)
    for verb, services in (("starts", new), ("stops", plan.stops)):
        if services:
            yield from _wrapped(f"    {verb} {', '.join(services)}", 6)


def _origin_lines(plan: HostPlan) -> Iterator[str]:
    if plan.origin is not None:
        was = f"write {plan.origin.old}" if plan.origin.old else "none"
        yield from _row(
            "~" if plan.origin.old else "+", "origin of the secrets file", f"{was} -> write {plan.origin.new}"
        )
    for words in plan.overridden:
        yield from _wrapped(f"  ! taken over, although {words}", 4)


def _row(action: str, path: str, effect: str) -> Iterator[str]:
    line = f"  {action} {path:<{PATH}} {effect}"
    if len(line) <= WIDTH:
        yield line
    else:
        yield f"  {action} {path}"
        yield from _wrapped(f"      {effect}", 6)


def _change_lines(plan: HostPlan, *, diffs: bool) -> Iterator[str]:
    for change in plan.changes:
        yield from _row(change.action, change.path, change.effect)
        for value in (one for one in plan.values if one.path == change.path):
            yield from _value_lines(value)
        if diffs:
            yield from (f"      {line}" for line in change.diff.splitlines())


def _value_lines(value: ValueChange) -> Iterator[str]:
    text = f"      {value.name} {_short(value.old)} -> {_short(value.new)}"
    why = f"   ({value.why})" if value.why else ""
    if len(text + why) <= WIDTH:
        yield text + why
        return
    yield from _wrapped(text, 8)
    yield from _wrapped(f"        ({value.why})", 9) if why else ()


def _short(value: str) -> str:
    """Leave out an image's digest: its tag is what a person reads."""
    return value.partition("@")[0] or "none"


def _restart_lines(restart: Restart) -> Iterator[str]:
    yield from _wrapped(f"    restarts {restart.service}: {restart.why}", 6)
    known = {one.name: one.restart for one in COMPONENTS}
    meanwhile = known.get(restart.service) or "it is away meanwhile"
    yield from _wrapped(f"      {meanwhile}; {_took(restart)}", 6)


def _took(restart: Restart) -> str:
    if not restart.took_s:
        return "how long: not measured yet"
    where = f" on {restart.took_on}" if restart.took_on else " here"
    last, *earlier = reversed(restart.took_s)
    if not earlier:
        return f"{last:.1f} s when last done{where}"
    low, high = min(restart.took_s), max(restart.took_s)
    return (
        f"{last:.1f} s when last done{where}, {low:.1f} to {high:.1f} s the last {len(restart.took_s)} times"
    )


def plan_summary(plan: Plan) -> str:
    changing = plan.changing
    if plan.is_noop and not plan.errors and not plan.problems:
        return f"nothing to do on {_count(len(plan.hosts), 'host')}"
    restarts = sum(len(host.restarts) for host in changing)
    starts = sum(len(host.starts) for host in changing)
    verb = "changes" if len(changing) == 1 else "change"
    parts = [
        f"{_count(len(changing), 'host')} {verb}",
        f"{_count(restarts, 'service')} restart{'s' if restarts == 1 else ''}",
    ]
    if starts:
        parts.append(f"{_count(starts, 'service')} start{'s' if starts == 1 else ''}")
    if reloads := sum(len(host.reloads) for host in changing):
        parts.append(f"{_count(reloads, 'service')} reload{'s' if reloads == 1 else ''}")
    if namespaces := sum(len(host.namespaces) for host in changing):
        parts.append(f"{_count(namespaces, 'namespace')} to set")
    if plan.departed:
        parts.append(f"{_count(len(plan.departed), 'host')} left the inventory")
    if plan.problems:
        parts.append(f"{_count(len(plan.problems), 'problem')} to solve first")
    if plan.errors:
        parts.append(f"{_count(len(plan.errors), 'host')} not read")
    return ", ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "schema": 1,
        "hosts": [{**asdict(host), "noop": host.is_noop} for host in plan.hosts],
        "errors": errors_json(plan.errors),
        "warnings": plan.warnings,
        "own_templates": [asdict(own) for own in plan.own],
        "risks": list(plan.risks),
        "readers": list(plan.readers),
        "since": [asdict(one) for one in plan.since],
        "departed": [asdict(one) for one in plan.departed],
        "without": list(plan.without),
        "problems": [f"{where}: {problem}" for where, problem in (*plan.against, *plan.unasked)],
    }
