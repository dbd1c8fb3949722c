"""The rules that hold across files and hosts, in the order in which they are judged and printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.sizing.budgets import database, machine, services, versions

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing.breach import Breach
    from tempo_infra.sizing.budgets.rule import Budget
    from tempo_infra.sizing.settings import Settings

BUDGETS: tuple[Budget, ...] = (
    database.connections,
    machine.memory,
    database.memory,
    machine.file_descriptors,
    database.wal_disk,
    database.wal_sizes,
    database.persistence,
    services.shards,
    services.pollers,
    machine.ports,
    services.drain,
    versions.versions,
)


def broken(cluster: Cluster, settings: Settings) -> tuple[Breach, ...]:
    """Return every budget that does not hold, errors and warnings."""
    return tuple(breach for budget in BUDGETS for breach in budget.check(cluster, settings))
