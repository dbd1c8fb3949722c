"""Capacity as text and as JSON: figures with their arithmetic, limits as bars."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tempo_infra.report.wrapping import wrapped
from tempo_infra.sizing.coefficients import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tempo_infra.sizing.capacity import Figure, Limit
    from tempo_infra.sizing.coefficients import Coefficients

BAR = 24  # characters of the widest bar


def figures(found: Iterable[Figure]) -> str:
    rows = [(one.name, f"{_number(one.value)} {one.unit}".strip(), one.how) for one in found]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    column = first + second + 6
    return "\n".join(
        wrapped(how, column, f"  {name:<{first}}  {value:>{second}}  ") for name, value, how in rows
    )


def answer(
    goal: float | None,
    peak_factor: float,
    needed: Sequence[Figure],
    carried: Sequence[Limit],
    inventory: object,
) -> str:
    """Say what was asked in a sentence or two, before any table.

    `needed` has the figures of another store, too, where PostgreSQL does not carry the goal.
    """
    said = []
    if goal is not None:
        figures = {one.name: f"{_number(one.value)} {one.unit}".strip() for one in needed}
        store = f"{figures['database CPU']} and {figures['disk']} of disk for the database"
        if "Cassandra nodes" in figures:
            store = f"more than PostgreSQL carries (on paper, {figures['Cassandra nodes']} for Cassandra)"
        said.append(
            f"{goal:g} workflows/s ({goal * peak_factor:g}/s at the peak) take {figures['Temporal CPU']} for "
            f"Temporal, {store}, and {figures['shards']} shards."
        )
    if carried:
        first = carried[0]
        said.append(
            f"{inventory} carries {_number(first.workflows_per_s / peak_factor)} workflows/s "
            f"({_number(first.workflows_per_s)}/s at the peak); runs out first: {first.resource}."
        )
    if goal is not None and carried:
        short = [one.resource for one in carried if one.workflows_per_s < goal * peak_factor]
        does = f"does not fit: {', '.join(short)}" if short else "fits"
        said.append(f"The goal's peak of {_number(goal * peak_factor)}/s {does}.")
    return "\n".join(wrapped(one, 2, "") for one in said)


def limits(found: Sequence[Limit]) -> str:
    """One bar a resource, the tightest first; full bars carry four times as much as the tightest and more."""
    least = found[0].workflows_per_s
    width = max(len(one.resource) for one in found)
    lines = []
    for one in found:
        share = min(one.workflows_per_s / (4 * least), 1) if least else 0
        bar = "#" * max(round(share * BAR), 1)
        lines.append(f"  {one.resource:<{width}}  {bar:<{BAR}} {_number(one.workflows_per_s):>8}/s")
        lines.append(wrapped(one.how, 6))
    return "\n".join(lines)


def coefficients(used: Coefficients) -> str:
    rows = [(one.name, f"{one.value:g}", f"{one.unit} [{one.source}]") for one in used.entries.values()]
    width = max(len(row[0]) for row in rows)
    lines = [wrapped(what, width + 12, f"  {name:<{width}}  {value:>6}  ") for name, value, what in rows]
    return "\n".join([*lines, wrapped(PLACES, 2)])


def as_json(needed: Iterable[Figure], carried: Iterable[Limit], store: str, used: Coefficients) -> str:
    body = {
        "format": 1,
        "needed": [{"name": f.name, "value": f.value, "unit": f.unit, "how": f.how} for f in needed],
        "store": store,
        "carried": [
            {"resource": one.resource, "workflows_per_s": one.workflows_per_s, "how": one.how}
            for one in carried
        ],
        "coefficients": {
            one.name: {"value": one.value, "source": one.source} for one in used.entries.values()
        },
    }
    return json.dumps(body, indent=1)


def _number(value: float) -> str:
    """Three figures that count, without exponents."""
    if value >= 100:  # noqa: PLR2004  # whole from here on
        return f"{value:,.0f}"
    return f"{value:.3g}"
