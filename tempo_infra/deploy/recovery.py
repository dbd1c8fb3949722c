"""A secrets file that nobody can open any more: recreated from the passwords that lie on the hosts."""

from __future__ import annotations

import secrets as randomness
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.deploy.inspect import places
from tempo_infra.errors import StepFailedError
from tempo_infra.inventory.logins import Login
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.steps.reading import Belongs, Passwords
from tempo_infra.sanitize import flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.secrets import Origin


def read_passwords(fleet: Fleet, hosts: Sequence[Host], cluster: str) -> dict[str, str]:
    """Return the secrets of the hosts, by their names in the secrets file.

    All hosts are asked, belong to the cluster, and agree. StepFailedError, UnreachableError.
    """
    there = {host.name: places(one.name for one in components.of_roles(host.roles)) for host in hosts}
    questions = {host: [Belongs(cluster), Passwords([*map(str, there[host])])] for host in there}
    found, errors = fleet.ask(questions, hosts, dict[str, str])
    for error in errors.values():
        raise error
    values: dict[str, str] = {}
    for place in dict.fromkeys(place for per_host in there.values() for place in per_host):
        said = {host: flat(one[str(place)]) for host, one in found.items() if str(place) in one}
        if len(set(said.values())) > 1:
            raise StepFailedError(
                f"the hosts have different passwords of {place.secret}: {', '.join(sorted(said))}"
            )
        values |= dict.fromkeys([place.secret] * bool(said), next(iter(said.values()), ""))
    if not {login.secret for login in Login} & values.keys():
        raise StepFailedError("no host has a password of this cluster")
    return values


def remember(fleet: Fleet, hosts: Sequence[Host], origin: Origin) -> dict[str, TempoInfraError]:
    """Let the hosts know the new file, whatever they knew: it was made of what lies there."""
    step = change.Origin(origin.digests[-1], origin.write, randomness.token_hex(4), anyway=True)
    return fleet.do({host.name: [step] for host in hosts}, hosts)
