"""`tempo-infra trust`: look at a host's key once, and pin it."""

from __future__ import annotations

from typing import Annotated

import typer

from tempo_infra.cli import completion
from tempo_infra.cli.options import DEFAULT_INVENTORY, InventoryFile, flag
from tempo_infra.errors import InputError


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
    """
    from tempo_infra.deploy.trust import KeyState, offered_keys, pin_key
    from tempo_infra.inventory import load

    for offer in offered_keys(load(inventory).only(hosts)):
        typer.echo(f"{offer.host.name}  {offer.host.ssh.address}  {offer.fingerprint}  {offer.state}")
        if offer.state is KeyState.PINNED:
            continue
        if offer.state is KeyState.CHANGED and not replace:
            raise InputError(
                "another key is pinned", host=offer.host.name, remedy="reinstalled? add --replace"
            )
        if fingerprint and not offer.is_fingerprint(fingerprint):
            raise InputError(
                f"the host offers {offer.fingerprint}", host=offer.host.name, remedy="nothing was pinned"
            )
        if fingerprint or _agreed(offer.host.name):
            pin_key(offer, replace=replace)
            typer.echo(f"  pinned in {offer.host.ssh.known_hosts}")


def _agreed(host: str) -> bool:
    try:
        return typer.confirm("  is this the fingerprint in the provider's console?")
    except typer.Abort:
        raise InputError(
            "nobody answered; its key was not pinned",
            host=host,
            remedy=f"without a terminal: tempo-infra trust {host} --fingerprint SHA256:…, from that console",
        ) from None
