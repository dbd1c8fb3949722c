"""`tempo-infra check-host`: what a host is really like, and whether that is enough."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated

import typer

from tempo_infra.cli.options import AskSudo, OnlyHosts, Quiet  # noqa: TC001 - as above


class PhaseName(StrEnum):
    BEFORE = "before"
    AFTER = "after"
    BOTH = "both"


class FormatName(StrEnum):
    """The names of `report.formats.ReportFormat`, which is not imported just to show the help."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    MARKDOWN = "markdown"
    HTML = "html"
    PROMETHEUS = "prometheus"


Ids = list[str] | None


def check_host(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[USER@HOST]...", help="Hosts without an inventory.")
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option(
            "--inventory", "-i", metavar="FILE", help="The inventory file; inventory.yaml if none is named."
        ),
    ] = None,
    host: OnlyHosts = None,
    *,
    local: Annotated[bool, typer.Option("--local", help="This machine, without SSH.")] = False,
    instance_class: Annotated[
        str, typer.Option("--class", metavar="NAME", help="Whose thresholds count without an inventory.")
    ] = "NVMe-Series",
    only: Annotated[Ids, typer.Option("--only", metavar="ID", help="Only this check, or group.")] = None,
    skip: Annotated[Ids, typer.Option("--skip", metavar="ID", help="This check is not wanted.")] = None,
    ignore: Annotated[
        Ids, typer.Option("--ignore", metavar="ID", help="Lower what this check finds to a warning.")
    ] = None,
    phase: Annotated[
        PhaseName, typer.Option("--phase", help="Checks for before or after `provision`.")
    ] = PhaseName.BOTH,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings and unknowns fail too.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="No load and no writes: a second or two.")] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Four times as long: steadier figures, about a minute.")
    ] = False,
    with_load: Annotated[
        bool, typer.Option("--with-load", help="Measure by load even where a database runs.")
    ] = False,
    data_directory: Annotated[
        str, typer.Option("--data-dir", metavar="DIR", help="Where durable writes are measured.")
    ] = "/srv/tempo",
    report_format: Annotated[
        FormatName, typer.Option("--format", help="Text for people, the others for programs.")
    ] = FormatName.TEXT,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output", metavar="FILE", help="Also write this file; .html, .xml … or FORMAT:FILE say what."
        ),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="OLD.json", help="Say what changed since that report.")
    ] = None,
    watch: Annotated[
        str,
        typer.Option("--watch", metavar="TIME", help="Again every 30s, 5m …; show changes till Ctrl-C."),
    ] = "",
    symptom: Annotated[
        str, typer.Option("--symptom", metavar="NAME", help="Find the cause of context-deadline-exceeded.")
    ] = "",
    frontend: Annotated[
        str,
        typer.Option("--frontend", metavar="HOST:PORT", help="Time connections to it: for hosts of workers."),
    ] = "",
    worker_metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--worker-metrics", metavar="HOST:PORT", help="Where a worker's metrics are, as hosts see it."
        ),
    ] = None,
    save_facts: Annotated[
        Path | None, typer.Option("--save-facts", metavar="FILE", help="Keep what was measured.")
    ] = None,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="Judge kept facts; contact no host.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what passed, too.")] = False,
    quiet: Quiet = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols beyond ASCII.")] = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Measure hosts, judge them, and change nothing.

    Example: tempo-infra check-host root@203.0.113.11

    Of an inventory's hosts all are checked, or those named by --host. Exit code: 0 fine, 1 something failed,
    3 something could not be measured.
    """
    from tempo_infra.cli import check_measuring, check_outputs, check_running, checking

    files = check_outputs.outputs(output)
    options = check_measuring.facts_options(
        data_directory,
        quick=quick,
        with_load=with_load,
        thorough=thorough,
        frontend=frontend,
        workers=worker_metrics or (),
    )
    source = checking.Source(tuple(targets or ()), inventory, tuple(host or ()), instance_class, local, facts)
    selection = checking.Selection(tuple(only or ()), tuple(skip or ()), tuple(ignore or ()), phase.value)
    request = check_running.Request(
        source, selection, options, strict, symptom, ask_sudo_password, save_facts
    )
    report = check_running.Report(report_format.value, files, verbose, quiet, ascii_only)
    raise typer.Exit(check_running.conduct(request, report, old=compare, every=watch))
