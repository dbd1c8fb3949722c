"""`tempo-infra maintain`: hosts out of the cluster for a while, one by one, without losing work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra import sanitize
from tempo_infra.cli import completion
from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, Quiet, flag
from tempo_infra.errors import InputError
from tempo_infra.hints import hint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tempo_infra.deploy.maintain import Maintenance, Work
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.draining import Done


def maintain(
    hosts: Annotated[
        list[str],
        typer.Argument(help="Hosts, one after the other.", metavar="HOST", autocompletion=completion.hosts),
    ],
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    run: Annotated[
        str, typer.Option("--run", help="Run this on each drained host, as root.", metavar="COMMAND")
    ] = "",
    run_deadline: Annotated[
        float, typer.Option("--run-deadline", help="How long the command may take.", metavar="SECONDS", min=1)
    ] = 3600.0,
    reboot: Annotated[bool, flag("--reboot", help="Reboot each drained host (after the command).")] = False,
    quiet: Quiet = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Drain a host, hand it over (or run a command, reboot), wait until all is healthy; then the next.

    Example: tempo-infra maintain history-1 history-2 --run 'apt-get -qy upgrade' --reboot
    """
    from tempo_infra.cli.resume import reached
    from tempo_infra.deploy.maintain import Maintenance, Work
    from tempo_infra.inventory import load
    from tempo_infra.report.progress import view_for

    cluster = load(inventory)
    chosen = [cluster.host(name) for name in dict.fromkeys(hosts)]
    work = Work(run, run_deadline, reboot)
    _need_a_person(work)
    names = [host.name for host in cluster.hosts]
    with reached(inventory, None, ask=ask_sudo_password) as (fleet, _, _):
        for host in chosen:
            _announce(cluster, host, quiet=quiet)
            with view_for(names, as_json=False, quiet=quiet) as view:
                fleet.report = view.show
                _one(Maintenance(fleet, cluster, view.show, _writer(quiet=quiet)), host, work, inventory)
            if not quiet:
                typer.echo(f"{host.name}: back, everything is healthy")


def _writer(*, quiet: bool) -> Callable[[Host, Done], None]:
    """Return what shows all that a command wrote, each line with its host; `quiet`: of one that failed."""

    def wrote(host: Host, done: Done) -> None:
        if quiet and not done.returncode:
            return
        for line in done.out.split("\n") if done.out else ():
            typer.echo(f"{host.name} | {sanitize.inert(sanitize.cut(line))}")

    return wrote


def _announce(cluster: Cluster, host: Host, *, quiet: bool) -> None:
    from tempo_infra.deploy.maintain import what_waits

    if not quiet:
        typer.echo(f"{host.name}: while it is away")
        for line in what_waits(cluster, host):
            typer.echo(f"  {line}")


def _one(maintenance: Maintenance, host: Host, work: Work, inventory: Path) -> None:
    from tempo_infra.cli.interrupt import waiting
    from tempo_infra.errors import TempoInfraError

    try:
        with waiting(lambda: _where(maintenance, inventory), lambda: maintenance.fleet.begun):
            maintenance.one(host, work, _hand_over)
    except TempoInfraError as error:
        typer.echo("\n".join((str(error), *_where(maintenance, inventory))), err=True)
        raise typer.Exit(exit_code([error])) from error
    except (KeyboardInterrupt, typer.Abort, BrokenPipeError):
        typer.echo("\n".join(_where(maintenance, inventory)), err=True)
        raise typer.Exit(exit_code(failed=True)) from None


def _need_a_person(work: Work) -> None:
    """Raise InputError when a host would be drained for a person, and none is there to give it back."""
    if not (work.command or work.reboot or sys.stdin.isatty()):
        raise InputError(
            "nobody is at a terminal to hand the host to, and there is nothing to do on it",
            remedy="give --run COMMAND, --reboot, or both; nothing was contacted",
        )


def _hand_over(host: Host) -> None:
    typer.echo(f"{host.name} is drained and yours; Enter when it may go back")  # a whole line: others follow
    try:
        answer = sys.stdin.readline()
    except OSError:
        answer = ""
    if not answer:
        raise typer.Abort  # the terminal is gone, and so is the person


def _where(maintenance: Maintenance, inventory: Path) -> list[str]:
    """Say how every host stands that is not as it was, and what brings it back."""
    if not maintenance.where:
        return ["this run keeps no host out of the cluster; no further one was begun"]
    return [
        *(f"{name}: {state}" for name, state in maintenance.where.items()),
        f"  what now:  {hint('provision', inventory)}      starts what is stopped",
    ]
