"""A plan for people: per host what changes, what restarts, and what stands in the way."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.deploy.rollout import Plan
    from tempo_infra.on_host.state import Edited, HostState


def plan_lines(plan: Plan, *, diffs: bool) -> Iterator[str]:
    """Yield the lines of a plan; with diffs, each file's unified diff below its name."""
    for host in plan.hosts:
        yield from _host_lines(host, diffs=diffs)
        for warning in plan.warnings.get(host.host, ()):
            yield f"  ! {warning}"
    for name, error in plan.errors.items():
        yield f"{name:<12}? {error.what}"
        if error.remedy:
            yield f"              {error.remedy}"
    yield plan_summary(plan)


def _host_lines(plan: HostPlan, *, diffs: bool) -> Iterator[str]:
    if plan.is_noop and not plan.problems:
        yield f"{plan.host:<12}nothing to do"
        return
    yield plan.host
    for problem in plan.problems:
        yield f"  ✗ {problem}"
    for note in plan.notes:
        yield f"  ! {note}"
    yield from _change_lines(plan, diffs=diffs)
    for path in plan.take_over:
        yield f"  ! /{path} was changed on the host; a copy is kept in /var/lib/tempo-infra/taken-over"
    for name in plan.secrets:
        yield f"  ~ {'secrets/' + name:<44} written to the host, never shown"
    for verb, services in (("restarts", plan.restarts), ("starts", plan.starts), ("stops", plan.stops)):
        if services:
            yield f"    {verb} {', '.join(services)}"
    if plan.pull:
        yield f"    pulls {', '.join(image.partition('@')[0] for image in plan.pull)}"


def _change_lines(plan: HostPlan, *, diffs: bool) -> Iterator[str]:
    for change in plan.changes:
        yield f"  {change.action} {change.path:<44} {change.effect}"
        if diffs:
            yield from (f"      {line}" for line in change.diff.splitlines())


def plan_summary(plan: Plan) -> str:
    changing = plan.changing
    if not changing and not plan.errors and not plan.problems:
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
        "errors": {name: {"what": error.what, "remedy": error.remedy} for name, error in plan.errors.items()},
        "warnings": plan.warnings,
    }


def drift_lines(host: str, state: HostState) -> Iterator[str]:
    """Yield what differs on a host from what was provisioned there; nothing for a host without drift."""
    found = [line for path, one in state.edited.items() for line in _drift(path, one)]
    if state.manifest:
        services: dict[str, Any] = json.loads(state.manifest)["services"]
        running = {container.service for container in state.containers if container.running}
        stopped = sorted(name for name, one in services.items() if not one["job"] and name not in running)
        found += [f"  - {name} does not run" for name in stopped]
    if found:
        yield host
        yield from found


def _drift(path: str, one: Edited) -> Iterator[str]:
    yield f"  {'~' if one.found else '-'} /{path}"
    lines = difflib.unified_diff(
        one.shipped.splitlines(), one.found.splitlines(), "provisioned", "on the host", n=2, lineterm=""
    )
    yield from (f"      {line}" for line in lines)
