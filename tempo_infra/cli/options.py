"""Options that more than one command takes."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tempo_infra.cli import completion

flag = partial(typer.Option, metavar="")  # it takes no value, so help names no type

InventoryFile = Annotated[
    Path, typer.Option("--inventory", "-i", help="The inventory file.", show_default=True, metavar="FILE")
]
OnlyHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host", help="Only this host (may be repeated).", metavar="NAME", autocompletion=completion.hosts
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        help="This host is away: change the rest without it (may be repeated).",
        metavar="NAME",
        autocompletion=completion.hosts,
    ),
]
Gone = Annotated[
    list[str] | None,
    typer.Option(
        "--gone",
        help="This host left the inventory: stop its services and shut it out (may be repeated).",
        metavar="NAME",
    ),
]
Yes = Annotated[bool, flag("--yes", "-y", help="Ask nothing; without a terminal nobody is asked anyway.")]
Quiet = Annotated[bool, flag("--quiet", "-q", help="Say only what failed.")]


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


Format = Annotated[OutputFormat, typer.Option("--format", help="Text for people, JSON for programs.")]

AskSudo = Annotated[
    bool,
    flag(
        "--ask-sudo-password",
        help="Ask for the sudo password, and try it once on each host; each one gets to know it.",
    ),
]

PlanOut = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Write the plan to this file, for `provision --plan`.", metavar="FILE", dir_okay=False
    ),
]
PlanIn = Annotated[
    Path | None,
    typer.Option("--plan", help="Do exactly this plan; refuse if a host has changed since.", metavar="FILE"),
]

DEFAULT_INVENTORY = Path("inventory.yaml")
