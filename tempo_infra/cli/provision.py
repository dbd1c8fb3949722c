"""`tempo-infra provision`: bring the hosts to what the inventory says."""

from __future__ import annotations

import shlex
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import again, fill_in, shown
from tempo_infra.cli.options import (
    DEFAULT_INVENTORY,
    AskSudo,
    Format,
    Gone,
    InventoryFile,
    OnlyHosts,
    OutputFormat,
    PlanIn,
    Quiet,
    Without,
    Yes,
    flag,
)
from tempo_infra.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tempo_infra.cli.exit_codes import ExitCode
    from tempo_infra.cli.run import Run
    from tempo_infra.deploy.run import Plan
    from tempo_infra.inventory.cluster import Cluster


class OnFailure(StrEnum):
    ROLLBACK = "rollback"
    HOLD = "hold"


def provision(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    without: Without = None,
    gone: Gone = None,
    *,
    bootstrap: Annotated[
        bool, flag("--bootstrap", help="Install the distribution's Docker where there is none.")
    ] = False,
    plan_file: PlanIn = None,
    take_over: Annotated[
        bool,
        flag(
            "--take-over",
            help="Overwrite edited files of ours (a copy stays on the host), and another password.",
        ),
    ] = False,
    on_failure: Annotated[
        OnFailure,
        typer.Option(
            "--on-failure", help="Put a host that fails back, or leave it as it is, to be looked at."
        ),
    ] = OnFailure.ROLLBACK,
    lock_wait: Annotated[
        float, typer.Option("--lock-wait", help="How long to wait for another run to end.", metavar="SECONDS")
    ] = 0.0,
    new_database: Annotated[
        str,
        typer.Option(
            "--new-database",
            help="Give up the database that was there and make an empty one: the cluster's name.",
            metavar="CLUSTER",
        ),
    ] = "",
    rename_from: Annotated[
        str,
        typer.Option(
            "--rename-from",
            help="The cluster had this name until now: its hosts are this inventory's.",
            metavar="CLUSTER",
        ),
    ] = "",
    output: Format = OutputFormat.TEXT,
    quiet: Quiet = False,
    yes: Yes = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Provision the hosts: files, images, database, schema, Temporal, each verified.

    Example: tempo-infra provision -i inventory.yaml

    Run again with nothing changed, it changes nothing. On a terminal it shows what will be done and asks.
    """
    from tempo_infra.cli.confirmation import confirm, go_on, name_departed
    from tempo_infra.cli.interrupt import stopping
    from tempo_infra.cli.run import opened
    from tempo_infra.deploy.options import Options
    from tempo_infra.deploy.plan_file import moved, read_plan
    from tempo_infra.inventory import load
    from tempo_infra.report.changes import agreement_lines, since_lines

    started = time.monotonic()
    options = Options(
        bootstrap,
        on_failure.value,
        lock_wait,
        take_over,
        bool(new_database),
        rename_from,
        tuple(without or ()),
        tuple(gone or ()),
    )
    kept = read_plan(plan_file) if plan_file else None
    if new_database:
        confirm(load(inventory).name, new_database, "--new-database")
    as_json = output is OutputFormat.JSON
    with opened(inventory, host, options=options, ask_sudo_password=ask_sudo_password) as run:
        with stopping(run.rollout, inventory):
            plan = name_departed(run.rollout.plan(run.hosts, lock=True))
        refuse(plan, moved(kept, plan) if kept is not None else [], run.cluster)
        for line in since_lines(plan, undone=True) if quiet else (*_notes(plan), *since_lines(plan)):
            typer.echo(line, err=True)
        agreed = yes or as_json or kept is not None or plan.is_noop or run.rollout.stopped
        go_on(agreement_lines(plan), yes=agreed)
        with stopping(run.rollout, inventory):
            run.supply()
            code = apply(run, plan, as_json=as_json, quiet=quiet, started=started)
    raise typer.Exit(code)


def _notes(plan: Plan) -> Iterator[str]:
    """Yield what is not usual about a change that is made all the same."""
    yield from (f"note: {own.line}" for own in plan.own)
    for one in plan.hosts:
        yield from (f"{one.host}: taken over, although {words}" for words in one.overridden)


def apply(
    run: Run, plan: Plan, *, as_json: bool = False, quiet: bool = False, started: float | None = None
) -> ExitCode:
    """Do what was planned, shown as it goes; how it ended, said and as an exit code."""
    from tempo_infra.report.outcome import outcome_lines
    from tempo_infra.report.progress import view_for

    started = time.monotonic() if started is None else started
    names = [*(one.name for one in plan.departed), *(one.name for one in run.hosts)]
    with view_for(names, as_json=as_json, quiet=quiet) as view:
        run.report.to = view.show
        outcome = run.rollout.apply(plan, view.show)
    fill_in(outcome.errors.values())
    took = time.monotonic() - started
    for line in outcome_lines(outcome, run.cluster, took, again(), quiet=quiet):
        typer.echo(line, err=as_json)
    return exit_code(outcome.errors.values(), failed=outcome.interrupted)


def refuse(plan: Plan, moved: Sequence[tuple[str, str]] = (), cluster: Cluster | None = None) -> None:
    """End before anything is changed when a host could not be read, or something stands in the way."""
    if not plan.errors and not plan.problems and not moved:
        return
    for name, error in plan.errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    for name, problem in [*plan.problems, *moved]:
        typer.echo(f"{name}: {shown(problem)}", err=True)
    typer.echo("nothing was changed on any host", err=True)
    if away := _away(plan, cluster):
        words = shlex.join([word for name in away for word in ("--without", name)])
        typer.echo(f"  to change the rest without {', '.join(away)}:  {again()} {words}", err=True)
    raise typer.Exit(exit_code(plan.errors.values(), failed=bool(plan.problems or moved)))


def _away(plan: Plan, cluster: Cluster | None) -> list[str]:
    """Return the hosts that can't be reached, where the rest can be changed without them."""
    away = [name for name, error in plan.errors.items() if isinstance(error, UnreachableError)]
    if cluster is None or not plan.hosts or len(away) < len(plan.errors):
        return []
    from tempo_infra.topology import store

    return [] if store(cluster).writer.name in away else away
