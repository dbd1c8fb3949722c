"""`tempo-infra remove` and `eject`: two ways to leave hosts, without data or on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, OnlyHosts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.errors import TempoInfraError

AGAIN = "the same command goes on from here"


def remove(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    confirm_remove: Annotated[
        str | None,
        typer.Option("--confirm-remove", help="The cluster's name, instead of typing it.", metavar="NAME"),
    ] = None,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Stop the services and take every file of this tool away; PostgreSQL's data stays.

    Example: tempo-infra remove -i inventory.yaml
    """
    from tempo_infra.cli.confirmation import confirm
    from tempo_infra.cli.interrupt import stoppable
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.leave import refuse_a_database_alone
    from tempo_infra.deploy.leave import remove as do
    from tempo_infra.inventory import load
    from tempo_infra.report.leaving import removed_lines

    cluster = load(inventory)
    hosts = cluster.only(host)
    refuse_a_database_alone(cluster, hosts)
    typer.echo(f"{cluster.name}: its services stop on {', '.join(one.name for one in hosts)}; data stays")
    confirm(cluster.name, confirm_remove, "--confirm-remove")
    with reached(inventory, host, ask=ask_sudo_password) as (fleet, _, chosen), stoppable(fleet, AGAIN):
        answers, errors = do(fleet, cluster, chosen)
    for name, removed in answers.items():
        for line in removed_lines(name, removed):
            typer.echo(line)
    _end(errors)


def eject(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    confirm_eject: Annotated[
        str | None,
        typer.Option("--confirm-eject", help="The cluster's name, instead of typing it.", metavar="NAME"),
    ] = None,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Leave the services running from a plain compose file, and forget the hosts; nothing restarts.

    Example: tempo-infra eject -i inventory.yaml
    """
    from tempo_infra.cli.confirmation import confirm
    from tempo_infra.cli.interrupt import stoppable
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.leave import eject as do
    from tempo_infra.inventory import load
    from tempo_infra.report.leaving import ejected_lines

    cluster = load(inventory)
    names = ", ".join(one.name for one in cluster.only(host))
    typer.echo(f"{cluster.name}: {names} will run without this tool; services go on, nothing restarts")
    confirm(cluster.name, confirm_eject, "--confirm-eject")
    with reached(inventory, host, ask=ask_sudo_password) as (fleet, _, chosen), stoppable(fleet, AGAIN):
        answers, errors = do(fleet, cluster, chosen)
    for name, ejected in answers.items():
        for line in ejected_lines(name, ejected):
            typer.echo(line)
    _end(errors)


def _end(errors: Mapping[str, TempoInfraError]) -> None:
    for name, error in errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    if errors:
        typer.echo(AGAIN, err=True)
    raise typer.Exit(exit_code(errors.values()))
