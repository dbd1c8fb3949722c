"""`tempo-infra backup` and `backups`: a backup now, what there is, and the key that repositories let in."""

from __future__ import annotations

from typing import Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.helping import App
from tempo_infra.cli.hints import shown
from tempo_infra.cli.notices import say_notices
from tempo_infra.cli.options import (
    DEFAULT_INVENTORY,
    AskSudo,
    Format,
    InventoryFile,
    OutputFormat,
    Quiet,
    flag,
)

KEY = "backup_ssh_key"

app = App(help="Take a backup of the database now; show the key that its repositories let in.")


@app.callback()
def backup() -> None:
    """Take a backup of the database now; show the key that its repositories let in."""


@app.command()
def now(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    full: Annotated[bool, flag("--full", help="All of it, not what has changed since the last one.")] = False,
    quiet: Quiet = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Take a backup into each repository, and say what came of it.

    Example: tempo-infra backup now -i inventory.yaml

    It goes on when the connection is lost; `tempo-infra backups` lists it once it is done.
    """
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.backups import refuse_none, take
    from tempo_infra.inventory import load
    from tempo_infra.report.backups import taken_lines
    from tempo_infra.report.progress import view_for

    cluster = load(inventory)
    refuse_none(cluster)
    names = [host.name for host in cluster.hosts]
    with (
        reached(inventory, None, ask=ask_sudo_password) as (fleet, _, _),
        view_for(names, as_json=False, quiet=quiet) as view,
    ):
        fleet.report = view.show
        taken = take(fleet, cluster, "full" if full else "auto")
    for line in taken_lines(taken):
        typer.echo(shown(line))
    raise typer.Exit(exit_code(failed=bool(taken.missing) or any(one.damaged for one in taken.new)))


@app.command()
def key(inventory: InventoryFile = DEFAULT_INVENTORY) -> None:
    """Show the line for ~/.ssh/authorized_keys of the repositories' users; make the key where there is none.

    Example: tempo-infra backup key -i inventory.yaml
    """
    from tempo_infra.deploy.backups import refuse_none
    from tempo_infra.inventory import load
    from tempo_infra.secrets import SecretStore
    from tempo_infra.secrets.generated import public_key

    cluster = load(inventory)
    refuse_none(cluster)
    store = SecretStore.open(cluster.secrets)
    found = store.ensure([KEY])
    say_notices(store)
    typer.echo(f"restrict {public_key(found[KEY].value)} tempo-infra-{cluster.name}")


def backups(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    output: Format = OutputFormat.TEXT,
    ask_sudo_password: AskSudo = False,
) -> None:
    """List the backups: label, kind, when, sizes, and the log that belongs to each.

    Example: tempo-infra backups -i inventory.yaml

    It ends with 1 when a repository is not in order, or has no backup without damage.
    """
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.backups import kept, refuse_none
    from tempo_infra.inventory import load
    from tempo_infra.on_host.backups import newest
    from tempo_infra.report.backups import backup_lines, backups_json

    cluster = load(inventory)
    refuse_none(cluster)
    with reached(inventory, None, ask=ask_sudo_password) as (fleet, _, _):
        found = kept(fleet, cluster)
    if output is OutputFormat.JSON:
        typer.echo(backups_json(found))
    for line in backup_lines(found, cluster.backup) if output is OutputFormat.TEXT and cluster.backup else ():
        typer.echo(shown(line))
    fine = [not one.wrong and newest(found, one.number) is not None for one in found.repositories]
    raise typer.Exit(exit_code(failed=not (fine and all(fine))))
