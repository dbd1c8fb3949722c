"""Changing the database password: the other login comes into use, then the old one is retired.

The inventory says which login is in use, so that the change is a generation like any other: planned, armed,
healthy or put back. What is left to do after a crash follows from the secrets file: as long as it holds both
passwords, the change is not over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.checks.logins import Stranger, strangers
from tempo_infra.deploy import locks
from tempo_infra.deploy.database_roles import retired_roles, retirement
from tempo_infra.errors import InputError
from tempo_infra.inventory import edit, load
from tempo_infra.on_host.probes.logins import Role  # noqa: TC001 - pydantic reads the annotation
from tempo_infra.on_host.steps import change, reading, upkeep
from tempo_infra.secrets import SecretStore
from tempo_infra.topology import store

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.inventory.logins import Login


@dataclass(frozen=True, slots=True)
class Roles:
    """What a database host answers: all of its roles."""

    roles: list[Role]


def begin(inventory: Path) -> tuple[Login, bool]:
    """Return the login that is to be in use, and whether this has just changed the inventory to it.

    A change that was begun before is gone on with. InputError when there is no password yet.
    """
    cluster = load(inventory)
    now = cluster.secrets.login
    known = SecretStore.open(cluster.secrets).read().keys()
    if not {now.secret, now.other.secret} & known:
        raise InputError(
            f"{cluster.secrets.path}: there is no password to rotate yet",
            remedy="the first `tempo-infra provision` makes it",
        )
    if now.other.secret in known:
        return now, False
    edit.change(inventory, [(("secrets", "login"), now.other.value)])
    return now.other, True


def give_up(inventory: Path, login: Login) -> None:
    """Put the inventory's line back: the change that it began was refused."""
    edit.change(inventory, [(("secrets", "login"), login.other.value)])


def retire(fleet: Fleet, cluster: Cluster, run: str) -> dict[str, TempoInfraError]:
    """Take the old login from the hosts, then from the database; the errors by host.

    Hosts first: a host without the old password refuses to go back to a generation that would need it.
    """
    kept, database = cluster.secrets.login, store(cluster).writer.name
    roles = retired_roles(kept)
    if refused := locks.take(fleet, cluster.hosts, run):
        return dict(refused)
    forget = upkeep.Forget([kept.other.reader])
    stages = (
        {host.name: [reading.Belongs(cluster.name)] for host in cluster.hosts},
        {database: [upkeep.Unused(list(roles))]},
        {host.name: [forget] for host in cluster.hosts},
        {database: [change.Sql(payload=retirement(roles).encode())]},
    )
    for stage in stages:
        errors = fleet.do(stage, cluster.hosts)
        if errors:
            return errors
    return {}


def others(fleet: Fleet, cluster: Cluster) -> tuple[Stranger, ...]:
    """Look who else may log in to the database, now; TempoInfraError when that can't be seen."""
    host = store(cluster).writer
    answers, errors = fleet.ask({host.name: [reading.Roles()]}, cluster.hosts, Roles)
    for error in errors.values():
        raise error
    return strangers(answers[host.name].roles, cluster.secrets.login.role)
