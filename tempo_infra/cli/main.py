"""The command line: one module a command, and the place where an error becomes a line and an exit code."""

from __future__ import annotations

import codecs
import contextlib
import getpass
import io
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Annotated

import typer

from tempo_infra import __version__
from tempo_infra.cli.backup import app as backup
from tempo_infra.cli.backup import backups
from tempo_infra.cli.capacity import capacity
from tempo_infra.cli.check_host import check_host
from tempo_infra.cli.checks import checks
from tempo_infra.cli.collector import spare
from tempo_infra.cli.diff import diff
from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.explain import explain
from tempo_infra.cli.helping import App
from tempo_infra.cli.hints import shown
from tempo_infra.cli.host import app as host
from tempo_infra.cli.images import app as images
from tempo_infra.cli.init import init
from tempo_infra.cli.interrupt import AtOnce, at_once
from tempo_infra.cli.inventory import app as inventory
from tempo_infra.cli.leave import eject, remove
from tempo_infra.cli.maintain import maintain
from tempo_infra.cli.options import flag
from tempo_infra.cli.plan import plan
from tempo_infra.cli.provision import provision
from tempo_infra.cli.render import render
from tempo_infra.cli.resume import history, resume, status
from tempo_infra.cli.rollback import rollback
from tempo_infra.cli.secrets import secrets
from tempo_infra.cli.smoke import smoke
from tempo_infra.cli.trust import trust
from tempo_infra.cli.worker_options import worker_options
from tempo_infra.errors import NO_ROOM, TRACEBACK, InputError, TempoInfraError, cause, place

CTRL_C = 130  # what typer makes of it, without a word

app = App(
    name="tempo-infra", help="Provision, tune and verify production Temporal clusters on VPSs over SSH."
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"tempo-infra {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, flag("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Provision, tune and verify production Temporal clusters on VPSs over SSH."""
    del version


app.command("init")(init)
app.add_typer(inventory, name="inventory")
app.add_typer(images, name="images")
app.command("trust")(trust)
app.command("plan")(plan)
app.command("provision")(provision)
app.command("resume")(resume)
app.command("status")(status)
app.command("history")(history)
app.command("diff")(diff)
app.command("rollback")(rollback)
app.command("maintain")(maintain)
app.add_typer(host, name="host")
app.add_typer(backup, name="backup")
app.command("backups")(backups)
app.command("check-host")(check_host)
app.add_typer(checks, name="checks")
app.command("explain")(explain)
app.command("capacity")(capacity)
app.command("worker-options")(worker_options)
app.command("render")(render)
app.command("smoke")(smoke)
app.add_typer(secrets, name="secrets")
app.command("remove")(remove)
app.command("eject")(eject)


def program() -> None:
    """Be the console script: run the command line, then end."""
    try:
        run()
    except SystemExit as end:
        _end_beside_the_sdk(end)
        raise


def run() -> None:
    """Run the command line; SystemExit."""
    spare()
    threading.excepthook = _in_a_thread
    _open_streams()
    _speak_utf8()
    _be_somebody()
    with at_once() as leaving:
        _run(leaving)


def _end_beside_the_sdk(end: SystemExit) -> None:
    """End without taking the interpreter apart where Temporal's SDK was used.

    Its own threads may call Python meanwhile, which aborts the program after all was said (exit code -6).
    """
    if "temporalio" in sys.modules and isinstance(end.code, int):
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(end.code)


def _run(leaving: AtOnce) -> None:
    try:
        app()
    except TempoInfraError as error:
        listed = isinstance(error, InputError) and error.what.endswith("nothing was contacted")
        said = shown(str(error))
        typer.echo(said if listed else f"error: {said}", err=True)  # file:line:column starts its line
        sys.exit(exit_code([error]))
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # nobody reads on: no second error at exit
        sys.exit(exit_code(failed=True))
    except SystemExit as end:
        if end.code != CTRL_C:
            raise
        leaving.end()
        typer.echo("interrupted", err=True)
        sys.exit(exit_code(failed=True))
    except Exception as error:  # noqa: BLE001 - no traceback is for an operator, and values stand in one
        typer.echo(_of_this_machine(error) or _bug(error), err=True)
        sys.exit(exit_code(failed=True))


def _open_streams() -> None:
    """Let a standard stream that was closed lead nowhere, before a file or a socket gets its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None and os.open(os.devnull, os.O_RDWR) == number:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115  # a standard stream, by its number, for as long as the program runs


def _speak_utf8() -> None:
    """Write UTF-8 whatever the locale says; the bytes of a file's name come out as they came in."""
    codecs.register_error("as-it-came", _as_it_came)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="as-it-came")


def _as_it_came(error: UnicodeError) -> tuple[bytes, int]:
    """Turn what Python made of bytes that it could not read into those bytes again."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - narrows; a stream that is written encodes
    found = error.object[error.start : error.end]
    escaped = range(0xDC80, 0xDD00)
    return b"".join(bytes([ord(c) & 0xFF]) if ord(c) in escaped else b"?" for c in found), error.end


def _be_somebody() -> None:
    """Give a user whom the machine doesn't know, as in a container, a name, and a home that holds nothing."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull


def _of_this_machine(error: BaseException) -> str:
    """Say which file this machine refuses, or that it is full; what a connection says names no file."""
    if not isinstance(error, OSError) or os.environ.get(TRACEBACK):
        return ""
    if error.filename is None and error.errno not in NO_ROOM:
        return ""
    where = f"{error.filename}: " if error.filename is not None else "writing: "
    return f"error: {where}{cause(error)}"


def _bug(error: BaseException) -> str:
    """Name the place, not the values: an error's own text may hold anything."""
    if os.environ.get(TRACEBACK):
        return "".join(traceback.format_exception(error))
    return (
        f"error: this is a bug in tempo-infra: {place(error)}\n"
        f"  please report it; {TRACEBACK}=1 shows where it came from (look through that before you send it)"
    )


def _in_a_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None:
        typer.echo(_bug(crash.exc_value), err=True)
