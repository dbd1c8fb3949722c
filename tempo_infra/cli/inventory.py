"""`tempo-infra inventory`: look at an inventory, describe it to an editor, measure its hosts into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tempo_infra.cli.helping import App
from tempo_infra.cli.options import DEFAULT_INVENTORY, InventoryFile, OnlyHosts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tempo_infra.inventory.cluster import Host, Resources

app = App(help="Look at an inventory, or write into it what its hosts have.")


@app.command()
def schema() -> None:
    """Print the JSON Schema of an inventory, for editors.

    Example: tempo-infra inventory schema > inventory.schema.json

    An editor with the YAML language server takes it from the inventory's first line:
    # yaml-language-server: $schema=inventory.schema.json
    """
    import json

    from tempo_infra.inventory.schema import schema as described

    typer.echo(json.dumps(described(), indent=2, ensure_ascii=False))


@app.command()
def show(inventory: InventoryFile = DEFAULT_INVENTORY) -> None:
    """Check an inventory and show its hosts; nothing is contacted.

    Example: tempo-infra inventory show -i inventory.yaml
    """
    from tempo_infra.inventory import load
    from tempo_infra.inventory.measured import summary

    cluster = load(inventory)
    temporal = f"Temporal {cluster.temporal.version}, {cluster.temporal.shards} shards"
    typer.echo(f"{cluster.name}: {temporal}, PostgreSQL {cluster.postgres.version}, {cluster.country}")
    for host in cluster.hosts:
        roles = " ".join(host.roles)
        typer.echo(f"\n{host.name}  {host.instance_class.name}: {roles}")
        typer.echo(f"  ssh       {host.ssh.user}@{host.ssh.address} port {host.ssh.port}")
        typer.echo(f"  internal  {host.internal}")
        measured = f"measured {host.resources.measured}" if host.resources.measured else "as declared"
        typer.echo(f"  has       {summary(host.resources)} ({measured})")
        if host.labels:
            typer.echo(f"  labels    {host.label_words}")


@app.command()
def measure(inventory: InventoryFile = DEFAULT_INVENTORY, host: OnlyHosts = None) -> None:
    """Read vCPUs, memory and disk of the hosts over SSH, and write them into the inventory.

    Example: tempo-infra inventory measure -i inventory.yaml --host db-1
    """
    from tempo_infra.deploy.measure import read_resources

    measure_into(inventory, host, read_resources)


def measure_into(path: Path, names: list[str] | None, read: Callable[[Host], Resources]) -> None:
    """Write what `read` finds on the hosts into the inventory, after each host, so that no answer is lost."""
    import datetime as dt
    from dataclasses import replace

    from tempo_infra.inventory import edit, load
    from tempo_infra.inventory.measured import changes, summary

    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    for host in load(path).only(names):
        found = read(host)
        found = found if found.measured else replace(found, measured=today)
        edit.change(path, changes(host.name, found))
        declared = summary(host.resources)
        note = "as before" if summary(found) == declared else f"was {declared}"
        typer.echo(f"{host.name}  {summary(found)}  ({note})")
