"""`tempo-infra smoke`: prove that workflows survive a crash on this cluster."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import DEFAULT_INVENTORY, Format, InventoryFile, OutputFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.topology import Endpoint
    from tempo_infra.workload.smoke import Event, SmokeResult

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LEAST_S: Final = 0.1
_DEADLINE_S: Final = 120.0  # beside the retries


def seconds(text: str) -> float:
    """Read `500ms`, `1s`, `2m` or `24h`."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)", text)
    if not found or float(found[1]) * _UNITS_S[found[2]] < _LEAST_S:
        raise typer.BadParameter(f"{text!r} is no interval from 100ms; write it like 500ms, 1s, 2m or 24h")
    return float(found[1]) * _UNITS_S[found[2]]


def smoke(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    *,
    workflows: Annotated[int, typer.Option(help="How many workflows, 4 to 200.", metavar="N")] = 20,
    retry_interval: Annotated[
        str, typer.Option(help="Between attempts to charge a card, such as 500ms or 24h.", metavar="TIME")
    ] = "1s",
    address: Annotated[
        str, typer.Option(help="Frontend to use directly, without ssh.", metavar="HOST:PORT")
    ] = "",
    output: Format = OutputFormat.TEXT,
) -> None:
    """Run real workflows through ssh, kill a worker in the middle, account for every charge.

    Example: tempo-infra smoke -i inventory.yaml
    """
    from tempo_infra.workload.smoke import run_smoke

    interval_s, as_json = seconds(retry_interval), output is OutputFormat.JSON
    typer.echo(f"smoke: {workflows} workflows, about {10 + 2 * interval_s:.0f} s", err=as_json)
    with _frontend(inventory, address) as reachable:
        result = run_smoke(
            reachable,
            workflows=workflows,
            retry_interval_s=interval_s,
            deadline_s=_DEADLINE_S + 2 * interval_s,
            say=lambda event: typer.echo(event_line(event), err=as_json),
        )
    typer.echo(document(result) if as_json else "\n".join(result_lines(result)))
    raise typer.Exit(exit_code(failed=not result.ok))


@contextmanager
def _frontend(inventory: Path, address: str) -> Iterator[str]:
    """Yield an address where the frontend answers; through the ssh of a host that runs one."""
    if address:
        yield address
        return
    from tempo_infra.inventory import load
    from tempo_infra.ssh import NoWayError, forward
    from tempo_infra.topology import endpoints

    cluster = load(inventory)
    frontend = _answering(cluster, endpoints(cluster, "frontend"))
    try:
        with forward(cluster.host(frontend.host), (frontend.address, frontend.port)) as port:
            typer.echo(f"  through ssh to {frontend.host}, frontend {frontend}", err=True)
            yield f"127.0.0.1:{port}"
    except NoWayError as error:
        error.remedy += f";\n  or run smoke where the frontend is reachable, with --address {frontend}"
        raise


def _answering(cluster: Cluster, frontends: Sequence[Endpoint]) -> Endpoint:
    """Return a frontend that serves; where none does, the last one, whose error says what is wrong."""
    from tempo_infra.errors import UnreachableError
    from tempo_infra.on_host.health import SERVICES, Grpc
    from tempo_infra.on_host.role_health import ask
    from tempo_infra.ssh import forward

    *some, last = frontends
    for one in some:
        try:
            with forward(cluster.host(one.host), (one.address, one.port)) as port:
                why = ask(Grpc("127.0.0.1", port, SERVICES["frontend"]))
        except UnreachableError as error:
            why = error.what
        if why == "SERVING":
            return one
        typer.echo(f"  {one.host}: its frontend does not serve ({shown(why)})", err=True)
    return last


def event_line(event: Event) -> str:
    return f"  {event.at_s:5.1f} s  {event.text}"


def result_lines(result: SmokeResult) -> Iterator[str]:
    """Yield the lines that people paste: what was proved, or what was not."""
    yield ""
    shown = result.problems[:10]
    yield from (f"  problem: {problem}" for problem in shown)
    if len(result.problems) > len(shown):
        yield f"  … {len(result.problems) - len(shown)} more (--format json has them all)"
    if result.evidence:
        yield f"  look at: {result.evidence}  (ledger.sqlite, worker-*.log)"
        yield f"           workflows {result.run_id}-* in the namespace {result.namespace}"
    verdict, accounted = ("ok", ", all accounted for") if result.ok else ("FAILED", "")
    ends = f"{result.completed} completed, {result.failed_as_expected} failed as they should"
    yield f"smoke {verdict}: {result.workflows} workflows, {ends}"
    if result.killed_pid is not None:
        left = f"{result.resumed} of the {result.in_progress} it was running"
        yield f"  worker {result.killed_pid} was killed; the other finished {left}"
    emails = f"{result.emails} failure e-mails"
    yield f"  {result.attempts} attempts, {result.charges} charges, {emails}{accounted}"
    yield f"  {len(result.problems)} problems · {result.seconds:.1f} s · run {result.run_id}"


def document(result: SmokeResult) -> str:
    import json

    return json.dumps({"ok": result.ok, **asdict(result)}, indent=1)
