"""`tempo-infra rollback`: back to a generation that was confirmed once, or to what was there before all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import ExitCode, exit_code_of
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, OnlyHosts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tempo_infra.deploy.go_back import WayBack


def rollback(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="This generation (`history` lists them); 0: as before the first provision.",
            metavar="GENERATION",
        ),
    ] = None,
    confirm_rollback: Annotated[
        str | None,
        typer.Option("--confirm-rollback", help="The cluster's name, for `--to 0`.", metavar="NAME"),
    ] = None,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Put hosts back on the generation before, files and containers; data and schema stay as they are.

    Example: tempo-infra rollback -i inventory.yaml --host front-1
    """
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.go_back import go_back, way_back
    from tempo_infra.on_host.journal import name_of
    from tempo_infra.on_host.layout import ZERO

    if to == ZERO:
        _ask(inventory, host, confirm_rollback)
    with reached(inventory, host, ask=ask_sudo_password) as (fleet, cluster, hosts):
        way = way_back(fleet, hosts, to)
        _refuse(way)
        for name, why in way.stay.items():
            typer.echo(f"{name:<12}{why}")
        with _interrupted(inventory):
            run, errors, now = go_back(fleet, cluster, hosts, way)
    for name, error in errors.items():
        typer.echo(f"{name}: {error.told}", err=True)
    for name, generation in way.to.items():
        back = f"back on {name_of(generation)}"
        typer.echo(f"{name:<12}{now.get(name, f'see resume {run}') if errors else back}")
    if way.to and not errors:
        typer.echo(f"the inventory says something newer: tempo-infra plan -i {inventory}")
    raise typer.Exit(max((exit_code_of(error) for error in errors.values()), default=ExitCode.OK))


@contextlib.contextmanager
def _interrupted(inventory: Path) -> Iterator[None]:
    """Let Ctrl-C end it after the step that runs, and say who decides then."""
    from tempo_infra.cli.interrupt import waiting

    words = (
        "a host that was switched decides by itself: healthy, it keeps the generation that it went to;\n"
        "  not healthy, it returns to the one that it came from; nothing is half done\n"
        f"  what now:  tempo-infra status -i {inventory}"
    )
    try:
        with waiting(lambda: [words]):
            yield
    except KeyboardInterrupt:
        typer.echo(words, err=True)
        raise typer.Exit(ExitCode.FAILED) from None


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
        typer.echo(f"{name}: {error.what}", err=True)
    if way.errors:
        typer.echo("nothing was changed on any host", err=True)
        raise typer.Exit(ExitCode.UNREACHABLE)
