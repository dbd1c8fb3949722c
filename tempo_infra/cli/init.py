"""`tempo-infra init`: a first inventory, by questions or by options."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.options import flag
from tempo_infra.errors import InputError
from tempo_infra.hints import hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tempo_infra.inventory.scaffold import Answers, HostAddresses


ASKED = {
    "cluster": "the cluster's name",
    "provider": "who rents the hosts out (the provider)",
    "user": "who logs in on them (the user)",
}


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
    cluster: Annotated[str, typer.Option(help="The cluster's name.", metavar="NAME")] = "",
    country: Annotated[str, typer.Option(help="Where the hosts are, ISO 3166.", metavar="CODE")] = "NO",
    provider: Annotated[str, typer.Option(help="Who rents the hosts out.", metavar="NAME")] = "",
    user: Annotated[str, typer.Option(help="Who logs in on them; may use sudo.", metavar="NAME")] = "",
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
    """Write a commented inventory: asks for what is not given as an option, on a terminal.

    Example: tempo-infra init single --cluster oslo --provider Nordhost --user deploy
    --host solo-1=203.0.113.10,10.0.0.10
    """
    from tempo_infra.inventory import edit, scaffold

    given = dict(scaffold.parse_host(option, layout) for option in host or [])
    said = {"cluster": cluster, "provider": provider, "user": user}
    _need_somebody(said, layout, given)
    answers = _answers(said, country)
    path = output or Path("inventory") / f"{answers.cluster}.yaml"
    if path.exists() and not force:
        raise InputError(
            f"{path} is there already", remedy="overwrite it with --force, or choose --output FILE"
        )
    hosts = _completed(layout, given)
    text = scaffold.scaffold(layout, answers, hosts, path, None if goal is None else _shards(goal))
    edit.write(path, text)
    asked = len(given) < len(hosts) or not all(said.values())
    again = scaffold.command(layout, answers, hosts, path) if asked else ()
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


def _need_somebody(said: Mapping[str, str], layout: Layout, given: Mapping[str, HostAddresses]) -> None:
    """Where nobody can be asked, say which options are missing, all at once. InputError."""
    from tempo_infra.inventory import scaffold

    if sys.stdin.isatty():
        return
    missing = [one.name for one in scaffold.layout_of(layout).hosts if one.name not in given]
    words = [ASKED[name] for name, value in said.items() if not value]
    options = [f"--{name} NAME" for name, value in said.items() if not value]
    words += [f"addresses of {', '.join(missing)}"] if missing else []
    options += [f"--host {name}=SSH-ADDRESS,INTERNAL-ADDRESS" for name in missing]
    if options:
        are = "are" if missing or len(options) > 1 else "is"
        raise InputError(f"{', '.join(words)} {are} missing; add", remedy="\n  ".join(options))


def _answers(said: Mapping[str, str], country: str) -> Answers:
    """Ask for what was not given; what was is checked first. InputError names the option."""
    from tempo_infra.inventory import scaffold

    scaffold.check({name: value for name, value in said.items() if value} | {"country": country})
    found = {name: value or _ask(ASKED[name], scaffold.CHECKS[name]) for name, value in said.items()}
    return scaffold.Answers(**found, country=country)


def _completed(layout: Layout, given: Mapping[str, HostAddresses]) -> dict[str, HostAddresses]:
    """Ask for the addresses that were not given."""
    from tempo_infra.inventory import scaffold
    from tempo_infra.inventory.addresses import internal_address, ssh_address

    complete: dict[str, HostAddresses] = {}
    for one in scaffold.layout_of(layout).hosts:
        if one.name in given:
            complete[one.name] = given[one.name]
            continue
        typer.echo(f"{one.name}  {one.instance_class.name}: {' '.join(one.roles)}")
        address = _ask("  ssh address", ssh_address)
        complete[one.name] = scaffold.HostAddresses(address, _ask("  internal address", internal_address))
    return complete


def _ask(question: str, check: Callable[[str], object]) -> str:
    """Ask until the answer passes the check."""
    while True:
        answer = str(typer.prompt(question)).strip()
        try:
            return str(check(answer))
        except ValueError as error:
            typer.echo(f"  {error}")


NEXT = {
    "trust": "pin the hosts' keys",
    "inventory measure": "write what they have",
    "images pin": "the exact images",
    "check-host": "good enough?",
}
LONGEST = len(hint("inventory measure", Path())) - len(str(Path()))


def _say_what_is_next(path: Path, again: list[str]) -> None:
    """Say which file it is; `again` are the words that write the same without questions."""
    import shlex

    typer.echo(f"wrote {path}")
    if again:
        words = [shlex.quote(word) for word in again]
        typer.echo("\nThe same without questions:")
        typer.echo("  " + " ".join(words[:3]) + "".join(_options(words[3:])))
    typer.echo("\nNext:")
    for command, what in NEXT.items():
        typer.echo(f"  {hint(command, path):{LONGEST + len(str(path))}}   {what}")


def _options(words: list[str]) -> list[str]:
    """One option a line, each behind a backslash, so that the whole can be pasted."""
    return [f" \\\n    {name} {value}" for name, value in zip(words[::2], words[1::2], strict=True)]
