"""The command line: one module a command, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tempo_infra import __version__
from tempo_infra.cli.exit_codes import ExitCode, exit_code_of
from tempo_infra.cli.plan import plan
from tempo_infra.cli.provision import provision
from tempo_infra.cli.trust import trust
from tempo_infra.errors import TempoInfraError

app = typer.Typer(
    name="tempo-infra",
    help="Provision, tune and verify production Temporal clusters on VPSs over SSH.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"tempo-infra {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Provision, tune and verify production Temporal clusters on VPSs over SSH."""
    del version


app.command("trust")(trust)
app.command("plan")(plan)
app.command("provision")(provision)


def run() -> None:
    """Run the command line; the console script's entry point."""
    try:
        app()
    except TempoInfraError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(ExitCode.FAILED)
