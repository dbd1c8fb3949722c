"""Hosts that are away while the rest is changed: who may be missing, and what can't be changed then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.deploy.departed import FRESH_S
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Role
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import TypeAlias

    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.state import HostState

    Members: TypeAlias = Collection[tuple[str, str]]  # role, address


def present(cluster: Cluster, chosen: Sequence[Host], without: Collection[str]) -> tuple[Host, ...]:
    """Return the chosen hosts that are not left out. InputError where nothing could be verified then."""
    away = {cluster.host(name).name for name in without}
    if store(cluster).writer.name in away:
        raise InputError(
            f"--without {store(cluster).writer.name}: it holds the database, and nothing can be verified "
            "without it",
            remedy="bring it back first; nothing was contacted",
        )
    left = tuple(host for host in chosen if host.name not in away)
    if not left:
        raise InputError("--without leaves no host to change", remedy="nothing was contacted")
    return left


def members_before(database: HostState | None) -> Members | None:
    """Return who takes part by the database's rows; None where it did not say."""
    if database is None or not database.live.databases or database.live.in_part:
        return None
    return {(row.role, row.address) for row in database.live.members if row.ago_s < FRESH_S}


def may_lack(
    cluster: Cluster, before: Members | None, changed: Collection[str], without: Collection[str]
) -> list[tuple[str, Role]]:
    """Return (host, role) that may be missing after a run: left out, or missing before and not changed."""
    return [
        (host.name, role)
        for host in cluster.hosts
        for role in host.temporal_roles
        if host.name in without
        or (before is not None and host.name not in changed and (role, host.internal) not in before)
    ]


def needs_all(
    cluster: Cluster, database: HostState | None, without: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield what must not be changed while hosts are away: (host, why)."""
    now = {
        port.rpartition(":")[0]
        for one in (database.containers if database else ())
        if one.service == Role.POSTGRESQL
        for port in one.ports
    }
    wanted = store(cluster).writer.internal
    if without and now and wanted not in now:
        why = (
            f"PostgreSQL's address would change from {', '.join(sorted(now))} to {wanted}, and "
            f"{', '.join(without)} would go on looking for it there: bring them back first, or take them out"
        )
        yield store(cluster).writer.name, why
