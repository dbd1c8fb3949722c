"""`tempo-infra secrets`: who can open the secrets file, and encrypting it again for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.helping import App
from tempo_infra.cli.hints import shown
from tempo_infra.cli.notices import say_notices
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile
from tempo_infra.cli.rotate import rotate
from tempo_infra.hints import hint

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.secrets import SecretStore

secrets = App(help="Who can open the secrets file; new passwords. None is shown.")
secrets.command()(rotate)


@secrets.command("show-recipients")
def show_recipients(inventory: InventoryFile = DEFAULT_INVENTORY) -> None:
    """Show who can open the secrets file.

    Example: tempo-infra secrets show-recipients -i inventory.yaml
    """
    for reader in _store(inventory).readers():
        state = "can open it" if reader.can_read else f"can't yet: {hint('secrets rekey', inventory)}"
        typer.echo(f"{reader.key}  {reader.origin}  {state}")


@secrets.command()
def rekey(inventory: InventoryFile = DEFAULT_INVENTORY) -> None:
    """Encrypt the secrets file again for the inventory's recipients and you, and for nobody else.

    Example: tempo-infra secrets rekey -i inventory.yaml
    """
    store = _store(inventory)
    done = store.rekey()
    say_notices(store)
    for sign, keys in (("+", done.added), ("-", done.removed)):
        for key in keys:
            typer.echo(f"{sign} {key}")
    count = len(done.recipients)
    typer.echo(f"encrypted for {count} key{'s' if count > 1 else ''}; commit the file, then run provision:")
    typer.echo("  hosts remember which file is in use, and take no older one any more")
    if done.removed:
        typer.echo("who lost access has the old file and still knows the passwords in it")


@secrets.command()
def identity(inventory: InventoryFile = DEFAULT_INVENTORY) -> None:
    """Show your public key, for secrets.recipients; your identity is made where you have none.

    Example: tempo-infra secrets identity -i inventory.yaml
    """
    store = _store(inventory)
    keys = store.own_identity()
    say_notices(store)
    for key in keys:
        typer.echo(key)


@secrets.command()
def recover(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    confirm_recover: Annotated[
        str | None,
        typer.Option("--confirm-recover", help="The cluster's name, instead of typing it.", metavar="NAME"),
    ] = None,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Recreate the secrets file from the passwords that lie on the hosts, where nobody can open it any more.

    Example: tempo-infra secrets recover -i inventory.yaml
    """
    from tempo_infra.cli.confirmation import confirm
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.recovery import read_passwords, remember
    from tempo_infra.inventory import load

    cluster, store = load(inventory), _store(inventory)
    store.refuse_existing()
    confirm(cluster.name, confirm_recover, "--confirm-recover")
    with reached(inventory, None, ask=ask_sudo_password) as (fleet, _, hosts):
        values = read_passwords(fleet, hosts, cluster.name)
        errors = remember(fleet, hosts, store.keep(values))
    say_notices(store)
    for name, error in errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    typer.echo(f"{cluster.secrets.path.name} holds {', '.join(sorted(values))}; commit it with the inventory")
    raise typer.Exit(exit_code(errors.values()))


def _store(inventory: Path) -> SecretStore:
    from tempo_infra.inventory import load
    from tempo_infra.secrets import SecretStore

    return SecretStore.open(load(inventory).secrets)
