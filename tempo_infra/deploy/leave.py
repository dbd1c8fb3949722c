"""Leaving hosts: what is done to each, Temporal's hosts before the database."""

from __future__ import annotations

import secrets as randomness
from typing import TYPE_CHECKING

from tempo_infra.deploy import locks
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.ejecting import Ejected
from tempo_infra.on_host.leaving import Removed
from tempo_infra.on_host.steps import upkeep
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host


def refuse_a_database_alone(cluster: Cluster, hosts: Sequence[Host]) -> None:
    """Raise InputError when the database host would go while others stay: each role lives off it."""
    if stay := living_off(cluster, hosts):
        raise InputError(
            f"{store(cluster).writer.name} holds the database of {', '.join(stay)}",
            remedy="the whole cluster at once: leave out --host; "
            "a host that is gone for good is taken out of the inventory first",
        )


def refuse_to_leave(cluster: Cluster, host: Host) -> None:
    """Raise InputError for the host of the database: nothing moves its data to another one yet."""
    if host == store(cluster).writer:
        raise InputError(
            f"{host.name} holds the database, and nothing moves that to another host yet",
            remedy="nothing was changed or contacted",
        )


def living_off(cluster: Cluster, going: Collection[Host]) -> list[str]:
    """Return the hosts that would stay without their database when these go; none while that stays."""
    stay = [host.name for host in cluster.hosts if host not in going]
    return stay if store(cluster).writer in going else []


def remove(
    fleet: Fleet, cluster: Cluster, hosts: Sequence[Host]
) -> tuple[dict[str, Removed], Mapping[str, TempoInfraError]]:
    """Take the services and files away; the database comes last, and only when all others have gone."""
    run = randomness.token_hex(4)
    answers: dict[str, Removed] = {}
    if refused := locks.take(fleet, hosts, run):
        return {}, refused
    for group in _groups(hosts):
        steps = {host.name: [upkeep.Remove(run, cluster.name)] for host in group}
        done, errors = fleet.ask(steps, group, Removed)
        answers |= done
        if errors:
            return answers, errors
    return answers, {}


def eject(
    fleet: Fleet, cluster: Cluster, hosts: Sequence[Host]
) -> tuple[dict[str, Ejected], Mapping[str, TempoInfraError]]:
    """Leave plain compose files on the hosts; nothing is restarted."""
    run = randomness.token_hex(4)
    if refused := locks.take(fleet, hosts, run):
        return {}, refused
    steps = {host.name: [upkeep.Eject(host.internal, cluster.name)] for host in hosts}
    return fleet.ask(steps, hosts, Ejected)


def _groups(hosts: Sequence[Host]) -> list[list[Host]]:
    database = [host for host in hosts if host.has(Role.POSTGRESQL)]
    return [group for group in ([host for host in hosts if host not in database], database) if group]
