"""`tempo-infra secrets rotate`: another database password, without a moment in which neither works."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, InventoryFile, Quiet, flag

if TYPE_CHECKING:
    from tempo_infra.checks.logins import Stranger
    from tempo_infra.cli.exit_codes import ExitCode
    from tempo_infra.cli.run import Run

UNFINISHED = "both logins work; the same command goes on from here"


def rotate(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    keep_old: Annotated[
        bool,
        flag("--keep-old", help="Leave the old login usable; the same command retires it later."),
    ] = False,
    quiet: Quiet = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Change the database password: the other login is made, tried and taken into use, the old one retired.

    Example: tempo-infra secrets rotate -i inventory.yaml

    After a failure the same command goes on.
    """
    from tempo_infra.cli.interrupt import stopping
    from tempo_infra.cli.provision import apply, refuse
    from tempo_infra.cli.run import opened
    from tempo_infra.deploy.rotation import begin, give_up

    started = time.monotonic()
    login, begun = begin(inventory)
    say = _silent if quiet else typer.echo
    say(f"{inventory}: secrets.login is {login}{'' if begun else ', as a change begun before says'}")
    with (
        opened(inventory, None, ask_sudo_password=ask_sudo_password) as run,
        stopping(run.rollout, inventory),
    ):
        plan = run.rollout.plan(run.hosts, lock=True)
        if begun and (plan.errors or plan.problems):
            give_up(inventory, login)
        refuse(plan)
        run.supply()
        for reader in run.store.readers():
            say(f"{run.cluster.secrets.path.name} can be opened by {reader}")
        code = apply(run, plan, quiet=quiet)
        if not code and not keep_old:
            code = _retire(run)
        others = _others(run) if not code and not keep_old else ()
    if not code:
        code = exit_code(failed=any(one.gains for one in others))
        say = typer.echo if code else say
        say(_ending(run, others, keep_old=keep_old, seconds=time.monotonic() - started))
    raise typer.Exit(code)


def _silent(_: str) -> None:
    """Say nothing."""


def _retire(run: Run) -> ExitCode:
    from tempo_infra.deploy.rotation import retire

    if run.rollout.stopped:
        typer.echo(UNFINISHED, err=True)
        return exit_code(failed=True)
    errors = retire(run.fleet, run.cluster, run.rollout.run)
    for name, error in errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    if errors:
        typer.echo(UNFINISHED, err=True)
        return exit_code(errors.values())
    now = run.store.forget([run.cluster.secrets.login.other.secret])
    errors = run.rollout.remember(now)
    for name, error in errors.items():
        typer.echo(f"{name}: {shown(error.told)}", err=True)
    return exit_code(errors.values())


def _others(run: Run) -> tuple[Stranger, ...]:
    """Look who else logs in, which is not said before it was seen."""
    from tempo_infra.deploy.rotation import others
    from tempo_infra.errors import TempoInfraError

    try:
        return others(run.fleet, run.cluster)
    except TempoInfraError:
        typer.echo("the old login is retired; whether another works could not be seen", err=True)
        raise


def _ending(run: Run, others: tuple[Stranger, ...], *, keep_old: bool, seconds: float) -> str:
    login, files = run.cluster.secrets.login, f"{run.cluster.path.name} and {run.cluster.secrets.path.name}"
    if keep_old:
        return (
            f"\nthe services log in as {login.role}; {login.other.role} works as well   {seconds:.1f} s\n"
            f"  go back     secrets.login: {login.other} in {run.cluster.path.name}, then provision\n"
            f"  retire it   the same command without --keep-old\n"
            f"  commit      {files}"
        )
    if not others:
        return (
            f"\nthe services log in as {login.role}; no other login works any more   {seconds:.1f} s\n"
            f"  commit {files}"
        )
    lines = "\n".join(f"              {one.words}" for one in others).lstrip()
    return (
        f"\nthe services log in as {login.role}; the old login works no more   {seconds:.1f} s\n"
        f"  not ours    {lines}\n"
        f"  end them    if nobody here made them: drop role NAME (or alter role NAME nologin), said by the\n"
        f"              superuser in the database postgres; then rotate once more\n"
        f"  commit      {files}"
    )
