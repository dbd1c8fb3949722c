"""`tempo-infra plan`: what `provision` would change."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from tempo_infra import trees
from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import in_plan
from tempo_infra.cli.options import (
    DEFAULT_INVENTORY,
    AskSudo,
    Format,
    Gone,
    InventoryFile,
    OnlyHosts,
    OutputFormat,
    PlanOut,
    Without,
    flag,
)
from tempo_infra.hints import hint


def plan(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    without: Without = None,
    gone: Gone = None,
    *,
    diff: Annotated[bool, flag("--diff/--no-diff", help="Show each file's diff.")] = True,
    out: PlanOut = None,
    output: Format = OutputFormat.TEXT,
    detailed_exitcode: Annotated[
        bool, flag("--detailed-exitcode", help="Exit 4 when there is something to do.")
    ] = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Show what `provision` would change on each host, and change nothing.

    Example: tempo-infra plan -i inventory.yaml
    """
    import json

    from tempo_infra.cli.run import opened
    from tempo_infra.deploy.options import Options
    from tempo_infra.report.changes import plan_json, plan_lines

    options = Options(without=tuple(without or ()), gone=tuple(gone or ()))
    with opened(inventory, host, options=options, ask_sudo_password=ask_sudo_password) as run:
        found = run.rollout.plan(run.hosts)
    body = json.dumps(plan_json(found), indent=1)
    if out is not None:
        trees.write(out, f"{body}\n".encode(), mode=0o600)
    for line in [body] if output is OutputFormat.JSON else plan_lines(in_plan(found), diffs=diff):
        typer.echo(line)
    if out is not None and not found.is_noop and output is OutputFormat.TEXT and not found.problems:
        same = hint(f"provision --plan {shlex.quote(str(out))}", inventory, host or ())
        typer.echo(f"  apply exactly this:  {same}")
    pending = not found.is_noop and detailed_exitcode
    raise typer.Exit(exit_code(found.errors.values(), failed=bool(found.problems), changes_pending=pending))
