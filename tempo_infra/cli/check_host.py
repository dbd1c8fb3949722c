"""`tempo-infra check-host`: what a host is really like, and whether that is enough."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated

import typer

from tempo_infra.cli import completion
from tempo_infra.cli.options import AskSudo, OnlyHosts, Quiet, flag


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
FORMATS = "For people: text. For programs: json, junit, sarif, prometheus. For both: markdown, html."


def check_host(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="USER@HOST", help="Hosts without an inventory.")
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option(
            "--inventory",
            "-i",
            metavar="FILE",
            help="The inventory file; inventory.yaml when no host is named.",
        ),
    ] = None,
    host: OnlyHosts = None,
    *,
    local: Annotated[bool, flag("--local", help="This machine, without SSH.")] = False,
    instance_class: Annotated[
        str,
        typer.Option(
            "--class",
            metavar="NAME",
            autocompletion=completion.classes,
            help="The class whose thresholds count, without an inventory.",
        ),
    ] = "NVMe-Series",
    only: Annotated[
        Ids,
        typer.Option(
            "--only",
            metavar="ID",
            autocompletion=completion.check_ids,
            help="Only this check, or this group of checks.",
        ),
    ] = None,
    skip: Annotated[
        Ids,
        typer.Option(
            "--skip", metavar="ID", autocompletion=completion.check_ids, help="Leave this check out."
        ),
    ] = None,
    ignore: Annotated[
        Ids,
        typer.Option(
            "--ignore",
            metavar="ID",
            autocompletion=completion.check_ids,
            help="Let this check warn, never fail.",
        ),
    ] = None,
    phase: Annotated[
        PhaseName, typer.Option("--phase", help="Checks for before or after `provision`.")
    ] = PhaseName.BOTH,
    strict: Annotated[bool, flag("--strict", help="Warnings and unknowns fail too.")] = False,
    quick: Annotated[bool, flag("--quick", help="No load and no writes: a second or two.")] = False,
    thorough: Annotated[
        bool, flag("--thorough", help="Four times as long: steadier figures, about a minute.")
    ] = False,
    with_load: Annotated[
        bool, flag("--with-load", help="Measure by load even where a database runs.")
    ] = False,
    data_directory: Annotated[
        str, typer.Option("--data-dir", metavar="DIR", help="Where durable writes are measured.")
    ] = "/srv/tempo/postgres",
    report_format: Annotated[
        FormatName, typer.Option("--format", metavar="FORMAT", help=FORMATS)
    ] = FormatName.TEXT,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Write a report to this file too, in the format of its ending or as FORMAT:FILE.",
        ),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="OLD.json", help="Say what changed since that report.")
    ] = None,
    watch: Annotated[
        str,
        typer.Option(
            "--watch", metavar="TIME", help="Repeat every 30s, 5m …, and show changes until Ctrl-C."
        ),
    ] = "",
    symptom: Annotated[
        str,
        typer.Option(
            "--symptom", metavar="NAME", help="Find its cause. The one known: context-deadline-exceeded."
        ),
    ] = "",
    frontend: Annotated[
        str,
        typer.Option(
            "--frontend",
            metavar="HOST:PORT",
            help="Time connections to this frontend; for hosts where workers run.",
        ),
    ] = "",
    worker_metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--worker-metrics",
            metavar="HOST:PORT",
            help="Where a worker tells its metrics, as seen from the hosts.",
        ),
    ] = None,
    save_facts: Annotated[
        Path | None, typer.Option("--save-facts", metavar="FILE", help="Keep what was measured.")
    ] = None,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="Judge kept facts; contact no host.")
    ] = None,
    verbose: Annotated[bool, flag("--verbose", "-v", help="Show what passed, too.")] = False,
    quiet: Quiet = False,
    ascii_only: Annotated[bool, flag("--ascii", help="No symbols beyond ASCII.")] = False,
    ask_sudo_password: AskSudo = False,
) -> None:
    """Measure hosts, judge them, and change nothing.

    Example: tempo-infra check-host root@203.0.113.11

    Exit code: 0 fine, 1 something failed, 3 something could not be measured.
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
