"""`tempo-infra trust`: look at a host's key once, and pin it."""

from __future__ import annotations

from typing import Annotated

import typer

from tempo_infra.cli import completion
from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.options import DEFAULT_INVENTORY, InventoryFile, flag
from tempo_infra.errors import HostKeyError, TempoInfraError


def trust(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Hosts of the inventory; all when none is named.",
            metavar="HOST",
            autocompletion=completion.hosts,
        ),
    ] = None,
    *,
    inventory: InventoryFile = DEFAULT_INVENTORY,
    replace: Annotated[bool, flag("--replace", help="Take the new key of a reinstalled host.")] = False,
    fingerprint: Annotated[
        str, typer.Option(help="Pin only this fingerprint (SHA256:…), without asking.", metavar="SHA256")
    ] = "",
) -> None:
    """Pin host keys in the inventory's known_hosts.

    Example: tempo-infra trust db-1 -i inventory.yaml

    It ends with 1 when a key was not agreed to, with 3 when it is another one than was expected.
    """
    from tempo_infra.deploy.trust import KeyState, offered_keys, pin_key
    from tempo_infra.inventory import load

    declined = False
    for offer in offered_keys(load(inventory).only(hosts)):
        typer.echo(f"{offer.host.name}  {offer.host.ssh.address}  {offer.fingerprint}  {offer.state}")
        if offer.state is KeyState.PINNED:
            continue
        if offer.state is KeyState.CHANGED and not replace:
            raise HostKeyError(
                "another key is pinned", host=offer.host.name, remedy="reinstalled? add --replace"
            )
        if fingerprint and not offer.is_fingerprint(fingerprint):
            raise HostKeyError(
                f"the host offers {offer.fingerprint}", host=offer.host.name, remedy="nothing was pinned"
            )
        if fingerprint or _agreed(offer.host.name):
            pin_key(offer, replace=replace)
            typer.echo(f"  pinned in {offer.host.ssh.known_hosts}")
        else:
            declined = True
    raise typer.Exit(exit_code(failed=declined))


def _agreed(host: str) -> bool:
    try:
        return typer.confirm("  is this the fingerprint in the provider's console?")
    except typer.Abort:
        raise TempoInfraError(
            "nobody answered; its key was not pinned",
            host=host,
            remedy=f"without a terminal: tempo-infra trust {host} --fingerprint SHA256:…, from that console",
        ) from None
