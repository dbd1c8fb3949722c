"""What a run does to a host, in a few words that stay in the host's own journal: no secret, and short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.deploy.namespaces import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.deploy.plan import Change, HostPlan

MOST_VALUES = 6  # of a file
MOST_PARTS = 12
MOST_CHARS = 900


def of_plan(plan: HostPlan) -> str:
    """Say which values and files change, what is recreated, and what becomes of it; "" for nothing."""
    parts = list(_parts(plan))
    more = f"and {len(parts) - MOST_PARTS} more" if len(parts) > MOST_PARTS else ""
    text = "; ".join([*parts[:MOST_PARTS], *([more] if more else [])])
    return text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"


def _parts(plan: HostPlan) -> Iterator[str]:
    if plan.seen is None and plan.changes:
        yield f"first provision: {len(plan.changes)} files"
    else:
        yield from (_changed(plan, change) for change in plan.changes)
    for verb, names in (
        ("restarts", [one.service for one in plan.restarts]),
        ("starts", plan.starts),
        ("stops", plan.stops),
        ("secret", [one.name for one in plan.secrets]),
        ("written over, edited here:", [f"/{path}" for path in (*plan.take_over, *plan.repair)]),
    ):
        if names:
            yield f"{verb} {', '.join(names)}"
    for one in plan.namespaces:
        had = f"{span(one.had_s)} -> " if one.had_s is not None else ""
        yield f"namespace {one.name}: retention {had}{span(one.wanted_s)}"
    if plan.origin is not None and plan.origin.old is not None:
        yield "another secrets file"
    yield from plan.notes


def _changed(plan: HostPlan, change: Change) -> str:
    values = [one for one in plan.values if one.path == change.path]
    if not values:
        return f"{change.action} {change.path}"
    words = [f"{one.name} {_short(one.old)} -> {_short(one.new)}" for one in values[:MOST_VALUES]]
    more = [f"and {len(values) - MOST_VALUES} more"] if len(values) > MOST_VALUES else []
    return f"{change.path}: {', '.join([*words, *more])}"


def _short(value: str) -> str:
    """Leave out an image's digest: its tag is what a person reads."""
    return value.partition("@")[0] or "none"
