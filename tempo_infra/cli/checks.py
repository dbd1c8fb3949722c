"""`tempo-infra checks`: what check-host looks at."""

from __future__ import annotations

from typing import Annotated

import typer

from tempo_infra.cli import completion
from tempo_infra.cli.helping import App
from tempo_infra.cli.options import Format, OutputFormat

checks = App(help="The catalogue of checks.")


@checks.command("list")
def list_checks(output: Format = OutputFormat.TEXT) -> None:
    """List all checks in the order of the report.

    Example: tempo-infra checks list
    """
    from tempo_infra.report import catalogue

    typer.echo(catalogue.as_json() if output is OutputFormat.JSON else catalogue.as_lines())


@checks.command("show")
def show(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="An id, or a group such as `disk`.", autocompletion=completion.check_ids
        ),
    ],
) -> None:
    """Say what a check wants, why, and what to do when it fails.

    Example: tempo-infra checks show disk.fsync
    """
    from tempo_infra.report import catalogue

    typer.echo(catalogue.details(identifier))
