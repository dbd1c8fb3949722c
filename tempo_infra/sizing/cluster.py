"""Every number of a cluster; or the budgets that break, each with the changes that help."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.sizing import overrides
from tempo_infra.sizing.nearest import judged, nearest

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing.settings import Settings


def size(cluster: Cluster) -> Settings:
    """Size every host of the cluster. Warnings and accepted risks stand in what is returned.

    InputError for overrides that can't be, and for budgets that do not hold: with the arithmetic, the lines
    of the inventory, and the nearest changes that satisfy each.
    """
    overrides.check(cluster)
    settings, found = judged(cluster)
    errors = [breach for breach in found if not breach.warning]
    if errors or settings is None:
        named = [breach.text(tuple(change.text for change in nearest(cluster, breach))) for breach in errors]
        raise InputError("\n".join(named), remedy="nothing was contacted")
    return replace(settings, warnings=tuple(breach.text() for breach in found))
