"""`tempo-infra worker-options`: how to start a worker on a machine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class SdkName(StrEnum):
    GO = "go"
    PYTHON = "python"
    JAVA = "java"
    TYPESCRIPT = "typescript"
    DOTNET = "dotnet"


class ActivityKind(StrEnum):
    IO = "io"
    CPU = "cpu"


def worker_options(
    *,
    sdk: Annotated[
        SdkName, typer.Option(help="The worker's SDK: go, python, java, typescript, dotnet.", metavar="SDK")
    ],
    vcpu: Annotated[
        int, typer.Option(min=1, max=1024, help="Virtual processors for the worker.", metavar="N")
    ],
    memory: Annotated[str, typer.Option(help="Memory for the worker, such as 8GiB.", metavar="SIZE")],
    activities: Annotated[
        ActivityKind, typer.Option(help="What activities mostly do: wait (io) or compute (cpu).")
    ] = ActivityKind.IO,
) -> None:
    """Print options for a worker as code in its SDK's own names, each with its reason.

    Example: tempo-infra worker-options --sdk go --vcpu 4 --memory 8GiB
    """
    from tempo_infra.errors import InputError
    from tempo_infra.inventory.quantities import parse_size
    from tempo_infra.report.worker_options import snippet
    from tempo_infra.sizing import workers

    try:
        size_bytes = parse_size(memory)
    except ValueError as error:
        raise InputError(f"--memory {memory}: {error}") from None
    kind = workers.Activities(activities.value)
    typer.echo(snippet(workers.worker_options(workers.Sdk(sdk.value), vcpu, size_bytes, kind)))
