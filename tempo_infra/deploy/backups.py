"""Asking the database's host for its backups, and for a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tempo_infra.errors import InputError
from tempo_infra.on_host.backups import Kept, Taken
from tempo_infra.on_host.steps import reading, upkeep
from tempo_infra.topology import store

if TYPE_CHECKING:
    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.on_host.steps.step import Step


Answer = TypeVar("Answer", Kept, Taken)


def kept(fleet: Fleet, cluster: Cluster) -> Kept:
    """Return what the repositories have. UnreachableError, StepFailedError."""
    return _ask(fleet, cluster, [reading.Belongs(cluster.name), reading.Backups()], Kept)


def take(fleet: Fleet, cluster: Cluster, kind: str) -> Taken:
    """Take a backup now into each repository: full, incr or auto. UnreachableError, StepFailedError."""
    return _ask(fleet, cluster, [reading.Belongs(cluster.name), upkeep.TakeBackup(kind)], Taken)


def refuse_none(cluster: Cluster) -> None:
    """Raise InputError for an inventory that asks for no backups."""
    if cluster.backup is None:
        raise InputError(
            f"{cluster.path} asks for no backups; nothing was contacted",
            remedy="write `backup` into it: docs/how-to/backups.md",
        )


def _ask(fleet: Fleet, cluster: Cluster, steps: list[Step], kind: type[Answer]) -> Answer:
    host = store(cluster).writer
    answers, errors = fleet.ask({host.name: steps}, [host], kind)
    for error in errors.values():
        raise error
    return answers[host.name]
