"""`tempo-infra secrets`: who can open the secrets file, and encrypting it again for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.options import DEFAULT_INVENTORY, InventoryFile, flag
from tempo_infra.cli.rotate import rotate

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.secrets import SecretStore

secrets = typer.Typer(
    no_args_is_help=True, help="Who can open the secrets file; new passwords. None is shown."
)
secrets.command()(rotate)


@secrets.command("show-recipients")
def show_recipients(inventory: InventoryFile = DEFAULT_INVENTORY) -> None:
    """Show who can open the secrets file.

    Example: tempo-infra secrets show-recipients -i inventory.yaml
    """
    for reader in _store(inventory).readers():
        state = "can open it" if reader.can_read else "can't yet: tempo-infra secrets rekey"
        typer.echo(f"{reader.key}  {reader.origin}  {state}")


@secrets.command()
def rekey(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    only_listed: Annotated[
        bool,
        flag("--only-listed", help="Drop earlier operators whom the inventory doesn't list."),
    ] = False,
) -> None:
    """Encrypt the secrets file again for the inventory's recipients.

    Example: tempo-infra secrets rekey -i inventory.yaml
    """
    done = _store(inventory).rekey(only_listed=only_listed)
    for sign, keys in (("+", done.added), ("-", done.removed)):
        for key in keys:
            typer.echo(f"{sign} {key}")
    count = len(done.recipients)
    typer.echo(f"encrypted for {count} key{'s' if count > 1 else ''}; commit the file")
    if done.removed:
        typer.echo("who lost access has the old file and still knows the passwords in it")


def _store(inventory: Path) -> SecretStore:
    from tempo_infra.inventory import load
    from tempo_infra.secrets import SecretStore

    store = SecretStore.open(load(inventory).secrets)
    for notice in store.notices:
        typer.echo(f"note: {notice}", err=True)
    return store
