"""`tempo-infra diff`: what was changed on the hosts behind the tool's back."""

from __future__ import annotations

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import DEFAULT_INVENTORY, AskSudo, Format, InventoryFile, OnlyHosts, OutputFormat


def diff(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    host: OnlyHosts = None,
    *,
    output: Format = OutputFormat.TEXT,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Show drift: owned files and services that are not as they were provisioned. Exit 1 when there is any.

    Example: tempo-infra diff -i inventory.yaml
    """
    from tempo_infra.cli.run import opened
    from tempo_infra.report.drift import drift_json, drift_lines, drift_of

    with opened(inventory, host, ask_sudo_password=ask_sudo_password) as run:
        states, unread = run.rollout.states(run.hosts)
        rollout = run.rollout
        found, unclear = run.fleet.each(  # what one host has answered hides no other host's drift
            [host for host in run.hosts if host.name in states],
            lambda host: drift_of(
                states[host.name],
                rollout.texts(host.name),
                rollout.namespace_drift(host.name, states),
            ),
        )
    errors = unread | unclear
    if output is OutputFormat.JSON:
        typer.echo(drift_json(found, errors))
    else:
        lines = [line for name, one in found.items() for line in drift_lines(name, one)]
        for line in lines or [] if errors else lines or ["no drift"]:
            typer.echo(line)
    for name, error in errors.items():
        typer.echo(f"{name:<12}? {shown(error.told)}", err=True)
    raise typer.Exit(exit_code(errors.values(), failed=any(found.values())))
