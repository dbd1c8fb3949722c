"""`tempo-infra rollback`: back to a generation that was confirmed once."""

from __future__ import annotations

from typing import Annotated

import typer

from tempo_infra.cli.exit_codes import ExitCode, exit_code_of
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, OnlyHosts


def rollback(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    to: Annotated[
        str | None, typer.Option("--to", help="This generation (`history` lists them).", metavar="GENERATION")
    ] = None,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Put hosts back on the generation before, files and containers; data and schema stay as they are.

    Example: tempo-infra rollback -i inventory.yaml --host front-1
    """
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.go_back import go_back, way_back

    with reached(inventory, host, ask=ask_sudo_password) as (fleet, cluster, hosts):
        way = way_back(fleet, hosts, to)
        for name, error in way.errors.items():
            typer.echo(f"{name}: {error.what}", err=True)
        if way.errors:
            typer.echo("nothing was changed on any host", err=True)
            raise typer.Exit(ExitCode.UNREACHABLE)
        for name, why in way.stay.items():
            typer.echo(f"{name:<12}{why}")
        run, errors, now = go_back(fleet, cluster, hosts, way)
    for name, error in errors.items():
        typer.echo(f"{name}: {error.told}", err=True)
    for name, generation in way.to.items():
        typer.echo(
            f"{name:<12}{now.get(name, f'see resume {run}') if errors else f'back on {generation[:12]}'}"
        )
    if way.to and not errors:
        typer.echo(f"the inventory says something newer: tempo-infra plan -i {inventory}")
    raise typer.Exit(max((exit_code_of(error) for error in errors.values()), default=ExitCode.OK))
