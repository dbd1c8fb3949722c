"""`tempo-infra explain`: why each number is what it is."""

from __future__ import annotations

from typing import Annotated

import typer

from tempo_infra.cli import completion
from tempo_infra.cli.options import DEFAULT_INVENTORY, Format, InventoryFile, OutputFormat


def explain(
    host: Annotated[
        str,
        typer.Argument(
            help="A host of the inventory; all when none is named.",
            metavar="HOST",
            autocompletion=completion.hosts,
        ),
    ] = "",
    setting: Annotated[
        str,
        typer.Argument(
            metavar="SETTING", help="Such as postgresql.jit, or jit; postgresql for the whole file."
        ),
    ] = "",
    *,
    inventory: InventoryFile = DEFAULT_INVENTORY,
    output: Format = OutputFormat.TEXT,
) -> None:
    """Say for every sized value which rule set it, from what, and what others would set.

    Example: tempo-infra explain -i inventory.yaml db-1 postgresql.shared_buffers
    """
    from tempo_infra.inventory import load
    from tempo_infra.report import explain as report
    from tempo_infra.sizing import size

    cluster = load(inventory)
    settings = size(cluster)
    found = report.lines(settings, cluster.host(host).name if host else "", setting)
    if output is OutputFormat.JSON:
        typer.echo(report.as_json(found, settings))
    else:
        typer.echo(report.text(found, settings, detailed=bool(setting)))
