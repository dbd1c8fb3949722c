"""Options that more than one command takes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

InventoryFile = Annotated[
    Path, typer.Option("--inventory", "-i", help="The inventory file.", show_default=True, metavar="FILE")
]
OnlyHosts = Annotated[
    list[str] | None, typer.Option("--host", help="Only this host (may be repeated).", metavar="NAME")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")]


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


Format = Annotated[OutputFormat, typer.Option("--format", help="Text for people, JSON for programs.")]

AskSudo = Annotated[
    bool, typer.Option("--ask-sudo-password", help="Ask for the sudo password; it is tried once a host.")
]

PlanOut = Annotated[
    Path | None,
    typer.Option("--out", help="Keep the plan, for `provision --plan`.", metavar="FILE", dir_okay=False),
]
PlanIn = Annotated[
    Path | None,
    typer.Option("--plan", help="Do exactly this plan, or refuse if a host moved since.", metavar="FILE"),
]

DEFAULT_INVENTORY = Path("inventory.yaml")
