"""`tempo-infra rollback`: back to a generation that was confirmed once, or to what was there before all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, OnlyHosts, Yes
from tempo_infra.hints import hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tempo_infra.deploy.go_back import Gone, WayBack
    from tempo_infra.inventory.cluster import Cluster

DECIDES = (
    "a host that was switched decides by itself: healthy, it keeps the generation that it went to;",
    "  not healthy, it returns to the one that it came from; nothing is half done",
)


def rollback(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="To this generation (`history` lists them); 0 is before the first provision.",
            metavar="GENERATION",
        ),
    ] = None,
    confirm_rollback: Annotated[
        str | None,
        typer.Option(
            "--confirm-rollback",
            help="The cluster's name, instead of typing it for `--to 0`.",
            metavar="NAME",
        ),
    ] = None,
    yes: Yes = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Put hosts back on the generation before, files and containers; data and schema stay as they are.

    Example: tempo-infra rollback -i inventory.yaml --host front-1

    On a terminal it shows from where to where and asks.
    """
    from tempo_infra.cli.confirmation import go_on
    from tempo_infra.cli.interrupt import stoppable
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.go_back import go_back, way_back
    from tempo_infra.on_host.layout import ZERO

    if to == ZERO:
        _ask(inventory, host, confirm_rollback)
    with (
        reached(inventory, host, ask=ask_sudo_password) as (fleet, cluster, hosts),
        stoppable(*DECIDES, f"  what now:  {hint('status', inventory, host or ())}"),
    ):
        way = way_back(fleet, cluster, hosts, to)
        _refuse(way)
        for name, why in way.stay.items():
            typer.echo(f"{name:<12}{why}")
        go_on(_ways(way), yes=yes or to == ZERO or not way.to)
        gone = go_back(fleet, cluster, hosts, way)
    _tell(gone, way, cluster, host or ())
    raise typer.Exit(exit_code(gone.errors.values(), failed=gone.stopped))


def _ways(way: WayBack) -> Iterator[str]:
    from tempo_infra.on_host.journal import name_of

    for name, generation in way.to.items():
        yield f"{name:<12}from {name_of(way.now[name])} to {name_of(generation)}, its services as then"


def _tell(gone: Gone, way: WayBack, cluster: Cluster, chosen: Sequence[str]) -> None:
    from tempo_infra.deploy.go_back import says_otherwise
    from tempo_infra.on_host.journal import name_of

    inventory = cluster.path
    for name, error in gone.errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    unknown = f"not known: {hint(f'resume {gone.run}', inventory)}"
    for name, generation in way.to.items():
        state = f"back on {name_of(generation)}" if gone.ok else gone.now.get(name, unknown)
        typer.echo(f"{name:<12}{state}")
    if way.to and gone.ok and says_otherwise(cluster, way):
        typer.echo(f"the inventory says something else: {hint('plan', inventory, chosen)}")


def _ask(inventory: Path, names: list[str] | None, given: str | None) -> None:
    """Say what stops, and go on when the cluster's name was typed. InputError; nothing was contacted."""
    from tempo_infra.cli.confirmation import confirm
    from tempo_infra.deploy.leave import refuse_a_database_alone
    from tempo_infra.inventory import load

    cluster = load(inventory)
    hosts = cluster.only(names)
    refuse_a_database_alone(cluster, hosts)
    typer.echo(f"{cluster.name}: its services stop on {', '.join(one.name for one in hosts)}; data stays")
    confirm(cluster.name, given, "--confirm-rollback")


def _refuse(way: WayBack) -> None:
    for name, error in way.errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    if way.errors:
        typer.echo("nothing was changed on any host", err=True)
        raise typer.Exit(exit_code(way.errors.values()))
