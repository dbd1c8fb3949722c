"""`tempo-infra rollback`: back to a generation that was confirmed once, or to what was there before all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, OnlyHosts, Yes, flag
from tempo_infra.hints import hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tempo_infra.deploy.rollback import Gone
    from tempo_infra.deploy.run import Plan
    from tempo_infra.deploy.way_back import WayBack
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster

STAYS = "stay as they are: data, schema, namespaces, logins, images that were pulled"
DECIDES = (
    "a host that was switched decides by itself: healthy, it keeps the generation that it went to;",
    "  not healthy, it returns to the one that it came from; nothing is half done",
)


def rollback(
    run: Annotated[
        str | None,
        typer.Argument(
            help="The run to take back (`history` lists them); the last one that changed something.",
            metavar="[RUN]",
            show_default=False,
        ),
    ] = None,
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
    dry_run: Annotated[
        bool, flag("--dry-run", help="Show what would be done, with each file's difference; change nothing.")
    ] = False,
    yes: Yes = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Take a run back on all hosts that it changed: files, containers; data and schema stay as they are.

    Example: tempo-infra rollback 7f3a9c01 -i inventory.yaml

    It shows what will be done, and asks on a terminal. A rollback is a run, too: taken back, it goes forward.
    """
    from tempo_infra.cli.confirmation import go_on
    from tempo_infra.cli.interrupt import stoppable
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.bringing import Stock
    from tempo_infra.deploy.preview import preview
    from tempo_infra.deploy.rollback import roll_back
    from tempo_infra.deploy.run_back import must_be_one
    from tempo_infra.deploy.steps import brought
    from tempo_infra.deploy.way_back import way_back
    from tempo_infra.on_host.layout import ZERO

    must_be_one(run, to)
    if to == ZERO and not dry_run:
        _ask(inventory, host, confirm_rollback)
    with (
        reached(inventory, host, ask=ask_sudo_password) as (fleet, cluster, hosts),
        stoppable(fleet, *DECIDES, f"  what now:  {hint('status', inventory, host or ())}"),
        Stock(cluster.images) as stock,
    ):
        way = way_back(fleet, cluster, hosts, to, run)
        _refuse(way.errors)
        plan, unable = preview(fleet, hosts, way.to, stock)
        _refuse(unable)
        for line in _lines(way, plan, diffs=dry_run):
            typer.echo(line)
        if dry_run:
            raise typer.Exit
        _refuse_unsure(way, yes=yes)
        go_on((), yes=yes or to == ZERO or not way.to)
        images = {one.host: brought(one.bring, stock.feed(one.bring)) for one in plan.hosts}
        gone = roll_back(fleet, cluster, hosts, way, images)
    _tell(gone, way, cluster, host or ())
    raise typer.Exit(exit_code(gone.errors.values(), failed=gone.stopped))


def _lines(way: WayBack, plan: Plan, *, diffs: bool) -> Iterator[str]:
    """Yield what will be done: which run, which hosts from where to where, what changes there."""
    from tempo_infra.on_host.journal import name_of
    from tempo_infra.on_host.layout import ZERO
    from tempo_infra.report.changes import plan_lines
    from tempo_infra.report.wrapping import lines

    if way.run and way.to:
        yield f"takes back run {way.run} of {way.who}{f', {way.at}' if way.at else ''}"
    for name, generation in way.to.items():
        stops = "; its services stop, its data stays" if generation == ZERO else ""
        yield from lines(
            f"from {name_of(way.now[name])} to {name_of(generation)}{stops}", f"{name:<12}", " " * 14
        )
    for name, why in way.stay.items():
        yield from lines(why, f"{name:<12}", " " * 14)
    if plan.hosts or plan.errors:
        yield from plan_lines(plan, diffs=diffs)
    for one in way.notes:
        yield from lines(shown(one), "! ", "  ")
    if way.to:
        yield STAYS


def _tell(gone: Gone, way: WayBack, cluster: Cluster, chosen: Sequence[str]) -> None:
    from tempo_infra.deploy.rollback import says_otherwise
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


def _refuse_unsure(way: WayBack, *, yes: bool) -> None:
    """Raise InputError where hosts leave open what is meant, and no person says that it is this."""
    from tempo_infra.cli.confirmation import is_asked
    from tempo_infra.errors import InputError

    if way.unsure and way.to and not is_asked(yes=yes):
        raise InputError(way.unsure, remedy="nobody is asked here; nothing was changed on any host")


def _refuse(errors: Mapping[str, TempoInfraError]) -> None:
    for name, error in errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    if errors:
        typer.echo("nothing was changed on any host", err=True)
        raise typer.Exit(exit_code(errors.values()))
