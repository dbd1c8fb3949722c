"""`tempo-infra init`: a first inventory, by questions or by options."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.options import flag
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tempo_infra.inventory.scaffold import HostAddresses


class Layout(StrEnum):
    SINGLE = "single"
    TRIO = "trio"


def init(
    layout: Annotated[
        Layout, typer.Argument(help="One host for everything (single), or three (trio).", metavar="LAYOUT")
    ] = Layout.TRIO,
    *,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="A host's addresses; once for each host.", metavar="NAME=SSH,INTERNAL"),
    ] = None,
    cluster: Annotated[str, typer.Option(help="The cluster's name.", metavar="NAME")] = "oslo",
    country: Annotated[str, typer.Option(help="Where the hosts are, ISO 3166.", metavar="CODE")] = "NO",
    provider: Annotated[str, typer.Option(help="Who rents them out.", metavar="NAME")] = "my-provider",
    user: Annotated[str, typer.Option(help="Who logs in; may use sudo.", metavar="NAME")] = "deploy",
    goal: Annotated[
        float | None,
        typer.Option(
            "--workflows-per-second",
            min=0.001,
            max=1e6,
            help="The goal that the shards are for.",
            metavar="N",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write; else inventory/ and the name.", metavar="FILE"
        ),
    ] = None,
    force: Annotated[bool, flag("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented inventory: asks for the addresses, or takes them as options.

    Example: tempo-infra init single --host solo-1=203.0.113.10,10.0.0.10
    """
    from tempo_infra.inventory import edit, scaffold

    path = output or Path("inventory") / f"{cluster}.yaml"
    if path.exists() and not force:
        raise InputError(
            f"{path} is there already", remedy="overwrite it with --force, or choose --output FILE"
        )
    answers = scaffold.Answers(cluster, country, provider, user).checked()
    given = dict(scaffold.parse_host(option, layout) for option in host or [])
    hosts = _completed(layout, given)
    text = scaffold.scaffold(layout, answers, hosts, path, None if goal is None else _shards(goal))
    edit.write(path, text)
    again = scaffold.command(layout, answers, hosts, path) if len(given) < len(hosts) else ()
    _say_what_is_next(path, [*again, *(("--workflows-per-second", f"{goal:g}") if again and goal else ())])


def _shards(goal: float) -> int:
    """Return the shards for a goal. They are fixed at the first start, so they are for more than today."""
    from tempo_infra.sizing.capacity import DEFAULT_FSYNC_MS, Load, shards_for, transitions
    from tempo_infra.sizing.coefficients import Coefficients

    load, used = Load(), Coefficients()
    peak = goal * load.peak_factor * transitions(load, used)
    shards = shards_for(peak, DEFAULT_FSYNC_MS, used)
    typer.echo(
        f"shards: {shards} for {goal:g} workflows/s, peaks and {used['growth']:g} times as much one day"
    )
    return shards


def _completed(layout: Layout, given: Mapping[str, HostAddresses]) -> dict[str, HostAddresses]:
    """Ask for what was not given; where nobody can be asked, say which options are missing."""
    from tempo_infra.inventory import scaffold
    from tempo_infra.inventory.addresses import internal_address, ssh_address

    hosts = scaffold.layout_of(layout).hosts
    missing = [one.name for one in hosts if one.name not in given]
    if missing and not sys.stdin.isatty():
        options = "\n  ".join(f"--host {name}=SSH-ADDRESS,INTERNAL-ADDRESS" for name in missing)
        raise InputError(f"addresses of {', '.join(missing)} are missing; add", remedy=options)
    complete: dict[str, HostAddresses] = {}
    for one in hosts:
        if one.name in missing:
            typer.echo(f"{one.name}  {one.instance_class.name}: {' '.join(one.roles)}")
            address = _ask("  ssh address", ssh_address)
            complete[one.name] = scaffold.HostAddresses(address, _ask("  internal address", internal_address))
        else:
            complete[one.name] = given[one.name]
    return complete


def _ask(question: str, check: Callable[[str], str]) -> str:
    """Ask until the answer passes the check."""
    while True:
        answer = str(typer.prompt(question)).strip()
        try:
            return check(answer)
        except ValueError as error:
            typer.echo(f"  {error}")


def _say_what_is_next(path: Path, again: list[str]) -> None:
    """Say which file it is; `again` are the words that write the same without questions."""
    import shlex

    typer.echo(f"wrote {path}")
    if again:
        words = [shlex.quote(word) for word in again]
        typer.echo("\nThe same without questions:")
        typer.echo("  " + " ".join(words[:3]) + "".join(_options(words[3:])))
    typer.echo("\nNext:")
    typer.echo(f"  tempo-infra trust -i {path}                pin the hosts' keys")
    typer.echo(f"  tempo-infra inventory measure -i {path}    write what they have")
    typer.echo(f"  tempo-infra images pin -i {path}           the exact images")
    typer.echo(f"  tempo-infra check-host -i {path}           good enough?")


def _options(words: list[str]) -> list[str]:
    """One option a line, each behind a backslash, so that the whole can be pasted."""
    return [f" \\\n    {name} {value}" for name, value in zip(words[::2], words[1::2], strict=True)]
