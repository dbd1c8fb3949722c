"""`tempo-infra images`: which exact images the cluster runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempo_infra.cli.helping import App
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, OnlyHosts
from tempo_infra.hints import hint

CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="The registry's certificate authority.", metavar="PEM")
]
RegistryAddress = Annotated[
    str,
    typer.Option(help="Connect there instead of to the registry's name.", metavar="HOST:PORT"),
]

app = App(help="Which exact images the cluster runs.")


@app.callback()
def images() -> None:
    """Which exact images the cluster runs."""


@app.command()
def pin(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    ca_file: CaFile = None,
    registry_address: RegistryAddress = "",
) -> None:
    """Ask the registry, or images.archives, which content each image has now; the inventory gets the digests.

    Example: tempo-infra images pin -i inventory.yaml
    """
    from tempo_infra.deploy import bringing
    from tempo_infra.inventory import pinning
    from tempo_infra.ssh.registry import Registry, digest_of

    cluster, stale = pinning.to_pin(inventory)
    registry = Registry(cluster.images.registry, ca_file or cluster.images.ca_file, registry_address)
    found = {name: digest_of(registry, name) for name in cluster.image_names if name not in cluster.brought}
    found |= bringing.contents_of(cluster)
    for name, digest in found.items():
        known = cluster.images.digests.get(name)
        state = "as before" if known == digest else "changed" if known else "new"
        typer.echo(f"{name:32} {digest[:19]}…  {state}")
    for loc in stale:
        typer.echo(f"{loc[-1]:32} {'not run any more':20}  taken out")
    if stale or found.items() - cluster.images.digests.items():
        pinning.pin(inventory, found, stale)
    pulled = len(found) - len(cluster.brought)
    of = [f"{pulled} images of {registry.shown}"] if pulled else []
    of += [f"{len(cluster.brought)} of images.archives"] if cluster.brought else []
    typer.echo(f"{' and '.join(of)} are pinned in {inventory}")


@app.command()
def save(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive.", metavar="TAR")],
    ask_sudo_password: AskSudo = False,
) -> None:
    """Write an archive of the cluster's images out of hosts that have them, as `docker save` would.

    Example: tempo-infra images save -o images.tar --host db-1 --host front-1

    With `images.source: ssh` and the file in `images.archives`, other hosts get them from there.
    """
    from tempo_infra.cli.sudo import ask_password
    from tempo_infra.deploy.fetching import save as saved
    from tempo_infra.deploy.session import Sudo
    from tempo_infra.inventory.pinning import to_pin

    cluster, _ = to_pin(inventory)
    sudo = Sudo(ask_password() if ask_sudo_password else None)
    found = saved(cluster, cluster.only(host), sudo, output, typer.echo)
    typer.echo(f"{len(found)} images are in {output}; `{hint('images pin', inventory)}` pins them")
