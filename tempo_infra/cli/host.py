"""`tempo-infra host`: take a host out of the cluster, or another machine in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli import completion
from tempo_infra.cli.helping import App
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, Yes, flag
from tempo_infra.cli.provision import provision

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.inventory.edit import Change
    from tempo_infra.inventory.problems import Loc

app = App(help="Take a host out of the cluster, or put another machine in its place.")

Leaving = Annotated[
    str, typer.Argument(help="The host that leaves.", metavar="HOST", autocompletion=completion.hosts)
]


@app.command()
def remove(
    host: Leaving,
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    yes: Yes = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Take a host out of the inventory and out of the cluster; its data stays.

    Example: tempo-infra host remove front-2 -i inventory.yaml

    Its services stop before its access to the database ends. A dead host is taken out once it is silent.
    """
    from tempo_infra.deploy.leave import refuse_to_leave
    from tempo_infra.inventory import load

    cluster = load(inventory)
    if any(one.name == host for one in cluster.hosts):
        refuse_to_leave(cluster, cluster.host(host))
        _write(inventory, [(("hosts", host), None)])
    provision(inventory=inventory, gone=[host], yes=yes, ask_sudo_password=ask_sudo_password)


@app.command()
def replace(
    host: Leaving,
    new: Annotated[str, typer.Argument(help="The name of the new machine.", metavar="NEW")],
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    address: Annotated[str, typer.Option(help="How ssh reaches the new machine.", metavar="ADDRESS")],
    internal: Annotated[str, typer.Option(help="Its address for the other hosts.", metavar="IP")],
    bootstrap: Annotated[
        bool, flag("--bootstrap", help="Install the distribution's Docker where there is none.")
    ] = False,
    yes: Yes = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Put a new machine in the place of a host: the same roles, class and settings; its data stays.

    Example: tempo-infra host replace front-2 front-3 --address 203.0.113.30 --internal 10.0.0.30

    The key of the new machine has to be pinned: where it is not yet, `trust` it and give the same command
    again.
    """
    from tempo_infra.deploy.leave import refuse_to_leave
    from tempo_infra.inventory import load

    cluster = load(inventory)
    if any(one.name == host for one in cluster.hosts):
        leaving = cluster.host(host)
        refuse_to_leave(cluster, leaving)
        stale: list[Loc] = [("measured",)] if leaving.measured else []
        stale += [("resources", "measured")] if leaving.resources.measured else []
        at: Loc = ("hosts", new)
        given: list[Change] = [((*at, "address"), address), ((*at, "internal"), internal)]
        _write(inventory, [*given, *(((*at, *one), None) for one in stale)], rename=(("hosts", host), new))
    provision(
        inventory=inventory, gone=[host], bootstrap=bootstrap, yes=yes, ask_sudo_password=ask_sudo_password
    )


def _write(path: Path, changes: list[Change], rename: tuple[Loc, str] | None = None) -> None:
    from tempo_infra.inventory.edit import change

    change(path, changes, rename=rename)
    typer.echo(f"{path} is written; what follows is `provision` with it")
