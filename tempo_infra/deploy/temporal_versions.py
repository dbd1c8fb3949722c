"""From which version of Temporal to which: one minor version up at a time, and down by one with a word.

The servers guard nothing: each minor rewrites what the one before has written, and neighbours alone are made
to read each other. Two steps down schedules stop for ever, and callbacks are lost without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.deploy.responses import manifest
from tempo_infra.errors import StepFailedError
from tempo_infra.inventory.cluster import TEMPORAL_ROLES
from tempo_infra.inventory.overrides import OLDER_RISK
from tempo_infra.on_host import temporal_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.on_host.state import HostState
    from tempo_infra.on_host.temporal_version import Line


def against(cluster: Cluster, host: str, state: HostState) -> Iterator[str]:
    """Refuse a way that nobody has made from what a host runs, and say where it was asked for."""
    wanted, runs = temporal_version.line(f":{cluster.temporal.version}"), _running(state)
    if wanted is None or not runs:
        return
    for line in sorted({min(runs), max(runs)}):
        if why := _why_not(host, line, wanted, accepted=OLDER_RISK in cluster.accept):
            yield f"{why} ({cluster.place('temporal', 'version')})"


def _why_not(host: str, runs: Line, wanted: Line, *, accepted: bool) -> str:
    old, new = (".".join(map(str, one)) for one in (runs, wanted))
    if runs[0] != wanted[0]:
        return (
            f"Temporal {old} runs on {host}: to {new} it is another major version, with no way that is known"
        )
    step = wanted[1] - runs[1]
    if step > 1:
        return (
            f"Temporal {old} runs on {host}: {new} comes after {runs[0]}.{runs[1] + 1}, one minor version "
            "at a time; each rewrites what the one before has written"
        )
    if step < -1:
        return (
            f"Temporal {old} runs on {host}: not back to {new} but to {runs[0]}.{runs[1] - 1} first; over "
            "more than one minor version schedules stop and callbacks are lost"
        )
    if step < 0 and not accepted:
        return (
            f"Temporal {old} runs on {host}: {new} is a step back, and may not know what {old} has written "
            f"(new kinds of activities stay open); take the risk with accept: [{OLDER_RISK}]"
        )
    return ""


def _running(state: HostState) -> set[Line]:
    """Return what runs there by the images' tags; where no container is left, by the current generation."""
    images = [one.image for one in state.containers if one.service in TEMPORAL_ROLES]
    return {found for one in images or _shipped(state) if (found := temporal_version.line(one))}


def _shipped(state: HostState) -> list[str]:
    try:
        return [one.image for name, one in manifest(state).instances.items() if name in TEMPORAL_ROLES]
    except StepFailedError:
        return []  # a damaged manifest is said by the host's own plan
