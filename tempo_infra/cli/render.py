"""`tempo-infra render`: the files of every host, without contacting any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.options import DEFAULT_INVENTORY, InventoryFile, OnlyHosts, flag
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tempo_infra.render import Bundle

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write DIR/<host>/…; stale files of ours go.", metavar="DIR"),
]
Check = Annotated[
    Path | None,
    typer.Option("--check", help="Compare with DIR, print the difference, exit 1.", metavar="DIR"),
]
ToStdout = Annotated[bool, flag("--stdout", help="Print the files themselves.")]


def render(
    inventory: InventoryFile = DEFAULT_INVENTORY,
    output: Output = None,
    check: Check = None,
    host: OnlyHosts = None,
    *,
    stdout: ToStdout = False,
) -> None:
    """Render every file of every host, and contact none.

    Example: tempo-infra render -i inventory.yaml -o out
    """
    from tempo_infra.render import own_used, tree
    from tempo_infra.sanitize import inert, visible

    if sum((output is not None, check is not None, stdout)) > 1:
        raise InputError("--output, --check and --stdout exclude each other", remedy="give one of them")
    bundles = _bundles(inventory, host)
    for own in own_used(bundles):
        for line in (f"note: {own.line}", *((f"accepted risk: {own.risk}",) if own.risk else ())):
            typer.echo(line, err=stdout or check is not None)
    if check is not None:
        difference = tree.difference(bundles, check, whole=not host)
        typer.echo(inert(visible(difference)), nl=False)
        raise typer.Exit(exit_code(failed=bool(difference)))
    if output is not None:
        tree.write(bundles, output, whole=not host)
        typer.echo(f"wrote {output}:")
    typer.echo(inert(_files(bundles)) if stdout else _summary(bundles), nl=False)


def _bundles(inventory: Path, host: list[str] | None) -> Sequence[Bundle]:
    from tempo_infra.inventory import load
    from tempo_infra.render import render as render_cluster
    from tempo_infra.sizing import size

    cluster = load(inventory)
    wanted = {found.name for found in cluster.only(host)}
    return [bundle for bundle in render_cluster(cluster, size(cluster)) if bundle.host in wanted]


def _summary(bundles: Sequence[Bundle]) -> str:
    width = max(len(bundle.host) for bundle in bundles)
    return "".join(
        f"{bundle.host:<{width}}  {bundle.digest[:12]}  {len(bundle.files)} files: "
        f"{', '.join(bundle.instances)}\n"
        for bundle in bundles
    )


def _files(bundles: Sequence[Bundle]) -> str:
    from tempo_infra.render.tree import contents

    return "".join(
        f"==> {bundle.host}/{path}\n{content.decode()}\n"
        for bundle in bundles
        for path, content in sorted(contents(bundle).items())
    )
