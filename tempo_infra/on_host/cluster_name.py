"""Whose a host is: its current generation says of which cluster. Two never share one by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.on_host import manifest
from tempo_infra.on_host.manifest import ManifestError
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout


def cluster_here(layout: Layout) -> str:
    """Return the cluster's name; empty where none can be read, and where an older program made it."""
    try:
        return manifest.current(layout).cluster
    except (OSError, ManifestError):
        return ""


def why_not(found: str, wanted: str, renamed_from: str = "") -> str:
    """Say why a host of one cluster is not another one's; empty where it is this one's, or nobody's."""
    if not found or found in (wanted, renamed_from):
        return ""
    return (
        f"this host belongs to the cluster {found}, not to {wanted}: `tempo-infra remove` with {found}'s own "
        f"inventory frees it (if this cluster was called {found} until now: provision --rename-from {found})"
    )


def refuse_another(layout: Layout, wanted: str) -> None:
    """Raise StepError where this host belongs to another cluster than the one that is meant."""
    if why := why_not(cluster_here(layout), wanted):
        raise StepError(why, remedy="nothing was touched")
