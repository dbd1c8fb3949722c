"""`tempo-infra resume`, `status` and `history`: what hosts know of their runs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import (
    DEFAULT_INVENTORY,
    AskSudo,
    Format,
    InventoryFile,
    OnlyHosts,
    OutputFormat,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host


@contextlib.contextmanager
def reached(
    inventory: Path, names: list[str] | None, *, ask: bool
) -> Iterator[tuple[Fleet, Cluster, list[Host]]]:
    """Yield sessions to hosts of an inventory, without its secrets."""
    from tempo_infra.cli.sudo import ask_password
    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.session import Sudo, open_session
    from tempo_infra.inventory import load

    cluster = load(inventory)
    hosts = list(cluster.only(names))
    sudo = Sudo(ask_password() if ask else None)
    with Fleet(lambda host: open_session(host, sudo), lambda _: None) as fleet:
        yield fleet, cluster, hosts


def _tell_errors(errors: Mapping[str, TempoInfraError]) -> None:
    for name, error in errors.items():
        typer.echo(f"{name:<12}? {shown(error.told)}", err=True)


def resume(
    run: Annotated[str, typer.Argument(help="The run's id: `provision` and `status` say it.", metavar="RUN")],
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Say how a run ended on each host; wait for it where it goes on. Nothing is run again.

    Example: tempo-infra resume 7f3a9c01 -i inventory.yaml
    """
    from tempo_infra.deploy.resume import WAIT_S, ask_runs, ending

    with reached(inventory, host, ask=ask_sudo_password) as (fleet, _, hosts):
        answers, errors = ask_runs(fleet, hosts, run, WAIT_S)
    endings = {name: ending(runs, run) for name, runs in answers.items()}
    for name, end in endings.items():
        typer.echo(f"{name:<12}{shown(end.text)}")
    _tell_errors(errors)
    states = {end.state for end in endings.values()}
    only_begun = states <= {"not switched"}
    raise typer.Exit(
        exit_code(
            errors.values(),
            rollback_failed="rollback failed" in states,
            unreachable="still open" in states,
            failed=bool(states & {"rolled back", "held", "not known"}) or (only_begun and not errors),
        )
    )


def status(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    output: Format = OutputFormat.TEXT,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Show each host's generation, whether it is confirmed, a run that is not over, and what runs.

    Example: tempo-infra status -i inventory.yaml

    It ends with 1 when a service does not serve, or a change is not confirmed.
    """
    from tempo_infra.deploy.resume import ask_status
    from tempo_infra.report.runs import is_well, service_lines, status_json, status_line

    with reached(inventory, host, ask=ask_sudo_password) as (fleet, _, hosts):
        answers, errors = ask_status(fleet, hosts)
    if output is OutputFormat.JSON:
        typer.echo(status_json(answers, errors))
    for name, runs in answers.items() if output is OutputFormat.TEXT else ():
        typer.echo(f"{name:<12}{shown(status_line(runs))}")
        for line in service_lines(runs):
            typer.echo(f"{'':<12}{shown(line)}")
    _tell_errors(errors)
    needs_person = any(runs.phase == "failed" for runs in answers.values())
    failed = not all(map(is_well, answers.values()))
    raise typer.Exit(exit_code(errors.values(), rollback_failed=needs_person, failed=failed))


def history(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    output: Format = OutputFormat.TEXT,
    ask_sudo_password: AskSudo = False,
) -> None:
    """List the runs: when, who, and on each host how it ended and what it changed.

    Example: tempo-infra history -i inventory.yaml
    """
    from tempo_infra.deploy.resume import ask_runs
    from tempo_infra.report.history import history_json, history_lines

    with reached(inventory, host, ask=ask_sudo_password) as (fleet, _, hosts):
        answers, errors = ask_runs(fleet, hosts)
    if output is OutputFormat.JSON:
        typer.echo(history_json(answers, errors))
    for line in history_lines(answers) if output is OutputFormat.TEXT else ():
        typer.echo(line)
    _tell_errors(errors)
    raise typer.Exit(exit_code(errors.values()))
