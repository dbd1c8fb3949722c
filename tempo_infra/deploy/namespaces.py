"""Namespaces and their retention: the inventory's compared with the live ones. Seconds everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.deploy import responses
from tempo_infra.deploy.responses import manifest
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.quantities import parse_duration
from tempo_infra.sanitize import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster, Temporal
    from tempo_infra.on_host.state import HostState

HOUR_S = 3600
OTHERS = ("temporal-system", "tempo-infra-smoke")  # the server's own, the smoke test's
SHOWN = 8  # names of namespaces that stay
FILE = "namespaces.yaml"


@dataclass(frozen=True, slots=True)
class NamespaceChange:
    """A namespace to make, or one whose retention is another. None: there is none yet."""

    name: str
    had_s: int | None
    wanted_s: int


def wanted(temporal: Temporal) -> dict[str, int]:
    """Return the retention of each namespace of the inventory."""
    return {one.name: one.retention_hours * HOUR_S for one in temporal.namespaces}


def made_from(cluster: Cluster, states: Mapping[str, HostState]) -> str:
    """Return the host from which namespaces are made; "" when no host with a frontend was read.

    Any frontend's will do. One that runs now comes first, then the one that was changed last: it knows the
    newest list, for a run over single hosts leaves the others with the one before.
    """

    def fitness(name: str) -> tuple[bool, str, str]:
        state = states[name]
        runs = any(one.service == Role.FRONTEND and one.running for one in state.containers)
        return runs, state.changes.last.time if state.changes.last else "", name

    read = (host.name for host in cluster.with_role(Role.FRONTEND) if host.name in states)
    return max(read, key=fitness, default="")


def provisioned(state: HostState, rendered: Mapping[str, str]) -> dict[str, int]:
    """Return the same of the host's generation, whose text the state has where it differs from ours."""
    if FILE not in manifest(state).files:
        return {}
    try:
        body = responses.yaml(state.texts.get(FILE, rendered.get(FILE, "")))
        return {one_line(name): parse_duration(text) * HOUR_S for name, text in body["namespaces"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # an edited file is drift by itself


def changes(wanted: Mapping[str, int], live: Mapping[str, int]) -> tuple[NamespaceChange, ...]:
    """Compare with the live namespaces, which are never none: an empty mapping means that nobody said."""
    return tuple(
        NamespaceChange(name, live.get(name), seconds)
        for name, seconds in wanted.items()
        if live and live.get(name) != seconds
    )


def warnings(wanted: Mapping[str, int], live: Mapping[str, int]) -> Iterator[str]:
    """Say what shorter retention takes, and which namespaces stay though the inventory has them not."""
    for one in changes(wanted, live):
        if one.had_s is not None and one.wanted_s < one.had_s:
            yield (
                f"namespace {one.name}: workflows that end from now on are deleted after "
                f"{span(one.wanted_s)}, not {span(one.had_s)}; those that have ended keep their time"
            )
    others = sorted(live.keys() - wanted.keys() - set(OTHERS))
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        yield (
            f"in Temporal but not in the inventory, left as they are: {', '.join(others[:SHOWN])}{more} "
            "(`temporal operator namespace delete` takes one away, with its workflows)"
        )


def span(seconds: int) -> str:
    """Return a retention as people write it: `72h`; what somebody else has set may be no whole hours."""
    return f"{seconds // HOUR_S}h" if seconds % HOUR_S == 0 else f"{seconds}s"
