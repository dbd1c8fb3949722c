"""What an operator should know about the secrets file before it is used: who reads it, and which clusters."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tempo_infra.errors import TempoInfraError
from tempo_infra.hints import hint
from tempo_infra.inventory import document, source
from tempo_infra.secrets.age import short
from tempo_infra.secrets.store import NOT_LISTED
from tempo_infra.trees import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.secrets import Found

USUAL = "secrets.age"
MOST_FILES = 50  # that are looked into
SUFFIXES = (".yaml", ".yml")


def cautions(cluster: Cluster, found: Found) -> Iterator[str]:
    """Yield who should read the file and can't, or the other way round, and who else keeps secrets in it."""
    name = cluster.secrets.path.name
    parts = [f"{short(one.key)} can't open it yet" for one in found.readers if not one.can_read]
    parts += [f"{short(one.key)} can, and is not listed" for one in found.readers if one.origin == NOT_LISTED]
    if parts:
        yield (
            f"secrets.recipients and {name} differ: {'; '.join(parts)}; "
            f"the next write mends it: {hint('secrets rekey', cluster.path)}"
        )
    for file, other in _others(cluster):
        yield (
            f"{file} names the same {name} for the cluster {other}: each change of passwords would be both "
            f"clusters'; give one of them its own, secrets: {{file: {other}.age}}"
        )


def _others(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Yield the inventories of other clusters beside this one that keep their secrets in the same file.

    What is no inventory, or can't be read, is none of them.
    """
    folder = cluster.path.absolute().parent
    with contextlib.suppress(TempoInfraError, OSError), Tree.open(folder) as tree:
        files = [name for name, is_folder in tree.names().items() if not is_folder]
        for name in [one for one in files if one.endswith(SUFFIXES)][:MOST_FILES]:
            said = _said(folder / name) if name != cluster.path.name else None
            if said and said[0] != cluster.name and folder / said[1] == cluster.secrets.path.absolute():
                yield name, said[0]


def _said(path: Path) -> tuple[str, str] | None:
    """Return the cluster's name and the secrets file that an inventory names; None for anything else."""
    with contextlib.suppress(TempoInfraError, OSError, document.MalformedError):
        root, _ = document.parse(source.read(path))
        name = document.descend(root, ("cluster",))
        file = document.descend(root, ("secrets", "file"))
        if isinstance(name, document.Scalar) and document.descend(root, ("hosts",)) is not None:
            return name.text, file.text if isinstance(file, document.Scalar) else USUAL
    return None
