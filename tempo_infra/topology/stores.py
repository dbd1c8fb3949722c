"""Temporal's stores, each by the name that its configuration has for it, and who keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.topology.instances import instances

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.topology.instances import Endpoint

DEFAULT, VISIBILITY = "default", "visibility"


@dataclass(frozen=True, slots=True)
class Kept:
    """Which component keeps a store, in which database."""

    component: str
    database: str


KEPT_BY = {
    DEFAULT: Kept("postgresql", "temporal"),
    VISIBILITY: Kept("postgresql", "temporal_visibility"),
}


@dataclass(frozen=True, slots=True)
class Store:
    """One store: its database, and the instance that takes its writes."""

    component: str
    database: str
    writer: Host
    at: Endpoint


def store(cluster: Cluster, name: str = DEFAULT) -> Store:
    """Return a store. InputError for another name, and where not one instance alone takes its writes."""
    if name not in KEPT_BY:
        raise InputError(f"no store {name!r}", remedy=f"known are {', '.join(KEPT_BY)}")
    kept = KEPT_BY[name]
    found = instances(cluster, kept.component)
    if len(found) != 1:
        raise InputError(
            f"{cluster.path}: {len(found)} hosts have the role {kept.component}",
            remedy=f"the {name} store needs one that takes its writes",
        )
    return Store(kept.component, kept.database, found[0].host, found[0].at("sql"))
