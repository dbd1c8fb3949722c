"""`tempo-infra capacity`: what a goal takes, and what an inventory carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.options import Format, OutputFormat, flag
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from tempo_infra.sizing.capacity import Limit, Load
    from tempo_infra.sizing.coefficients import Coefficients

Goal = Annotated[
    float | None,
    typer.Option("--workflows-per-second", min=0.001, max=1e7, help="The goal, on average.", metavar="N"),
]
Own = Annotated[
    Path | None, typer.Option("--measured", help="This cluster's own coefficients, JSON.", metavar="FILE")
]
OwnInventory = Annotated[
    Path | None, typer.Option("--inventory", "-i", help="Say what this inventory carries.", metavar="FILE")
]


def capacity(
    *,
    goal: Goal = None,
    inventory: OwnInventory = None,
    activities: Annotated[
        float, typer.Option(min=0, max=1000, help="Activities a workflow.", metavar="N")
    ] = 2,
    payload: Annotated[
        str, typer.Option(help="Size of an input or result, such as 1KiB.", metavar="SIZE")
    ] = "1KiB",
    retention: Annotated[
        str, typer.Option(help="How long closed workflows are kept.", metavar="TIME")
    ] = "72h",
    peak_factor: Annotated[float, typer.Option(min=1, max=100, help="Peak over average.", metavar="N")] = 2,
    measured: Own = None,
    explain: Annotated[bool, flag("--explain", help="Show the coefficients, and their sources.")] = False,
    output: Format = OutputFormat.TEXT,
) -> None:
    """Say what a goal takes, or what an inventory carries and which resource runs out first.

    Example: tempo-infra capacity --workflows-per-second 50 -i inventory.yaml
    """
    from tempo_infra.report import capacity as report
    from tempo_infra.report.wrapping import wrapped
    from tempo_infra.sizing import capacity as sums
    from tempo_infra.sizing import coefficients

    if goal is None and inventory is None:
        raise InputError("nothing is asked", remedy="give --workflows-per-second, --inventory, or both")
    used = coefficients.measured(measured) if measured else coefficients.Coefficients()
    load = _load(activities, payload, retention, peak_factor)
    found, fsync_ms = _carried(inventory, load, used)
    needed = sums.needed(goal, load, used, fsync_ms) if goal is not None else ()
    words, paper = sums.which_store(goal, load, used) if goal is not None else ("", ())
    if output is OutputFormat.JSON:
        typer.echo(report.as_json((*needed, *paper), found, words, used))
        return
    typer.echo(report.answer(goal, peak_factor, (*needed, *paper), found, inventory))
    if goal is not None:
        typer.echo(
            f"\n{goal:g} workflows/s of {activities:g} activities, {goal * peak_factor:g}/s at the peak:"
        )
        typer.echo(report.figures((*needed, *paper)))
        typer.echo(wrapped(words, 2, "store: "))
    if found:
        typer.echo("\nworkflows/s that each resource carries, at the peak:")
        typer.echo(report.limits(found))
    if explain:
        typer.echo(f"\nthe sums are made of:\n{report.coefficients(used)}")
    else:
        typer.echo("\n--explain shows what the sums are made of, and where each figure comes from")


def _load(activities: float, payload: str, retention: str, peak_factor: float) -> Load:
    from tempo_infra.inventory.quantities import parse_duration, parse_size
    from tempo_infra.sizing.capacity import Load

    try:
        return Load(activities, parse_size(payload), max(parse_duration(retention), 1), peak_factor)
    except ValueError as error:
        raise InputError(f"--payload {payload} --retention {retention}: {error}") from None


def _carried(inventory: Path | None, load: Load, used: Coefficients) -> tuple[tuple[Limit, ...], float]:
    from tempo_infra.inventory import load as load_inventory
    from tempo_infra.sizing import capacity as sums
    from tempo_infra.sizing import size

    if inventory is None:
        return (), sums.DEFAULT_FSYNC_MS
    cluster = load_inventory(inventory)
    return sums.carried(cluster, size(cluster), load, used), sums.fsync_ms(cluster)[0]
