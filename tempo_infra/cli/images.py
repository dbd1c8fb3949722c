"""`tempo-infra images`: which exact images the cluster runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tempo_infra.cli.helping import App
from tempo_infra.cli.options import DEFAULT_INVENTORY, InventoryFile

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
