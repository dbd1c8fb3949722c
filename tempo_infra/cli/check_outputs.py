"""Where the report of check-host goes: one format to standard output, any number to files."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tempo_infra import trees
from tempo_infra.errors import InputError
from tempo_infra.report.formats import WRITERS, ReportFormat, of_output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from tempo_infra.report.result import CheckRun

FILE_WIDTH = 100
Output = tuple[ReportFormat, Path]


def outputs(texts: Sequence[str] | None) -> tuple[Output, ...]:
    """Read the --output options; InputError before anything is measured."""
    found = tuple(of_output(text) for text in texts or ())
    for _, path in found:
        if not path.parent.is_dir():
            raise InputError(f"--output {path}: no folder {path.parent}")
        if path.is_dir():
            raise InputError(f"--output {path}: a folder, not a file")
    return found


def show(
    run: CheckRun,
    name: str,
    *,
    verbose: bool = False,
    quiet: bool = False,
    ascii_only: bool = False,
) -> None:
    """Print the report: colours and width of the terminal, or plain text where there is none."""
    chosen = ReportFormat(name)
    if chosen in WRITERS:
        typer.echo("".join(WRITERS[chosen](run)), nl=False)
        return
    plain = ascii_only or "utf" not in (sys.stdout.encoding or "").lower()
    _text(run, None, verbose=verbose, quiet=quiet, ascii_only=plain)


def _text(run: CheckRun, file: TextIO | None, *, verbose: bool, quiet: bool, ascii_only: bool) -> None:
    from rich.console import Console

    from tempo_infra.report.findings import Style, print_run

    width = FILE_WIDTH if file else None
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
    print_run(console, run, Style(verbose, quiet, ascii_only))


def write_files(run: CheckRun, wanted: Sequence[Output]) -> None:
    """Write each file whole or not at all: a collector of metrics may read it at any moment."""
    for chosen, path in wanted:
        try:
            trees.write(path, _whole(run, chosen).encode(), mode=0o644, shared=True)
        except trees.UnfitError as error:
            raise InputError(f"--output {error.what}", remedy=error.remedy) from error


def _whole(run: CheckRun, chosen: ReportFormat) -> str:
    if chosen in WRITERS:
        return "".join(WRITERS[chosen](run))
    page = io.StringIO()
    _text(run, page, verbose=True, quiet=False, ascii_only=False)
    return page.getvalue()
