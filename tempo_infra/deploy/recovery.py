"""A secrets file that nobody can open any more: recreated from the passwords that lie on the hosts."""

from __future__ import annotations

import base64
import secrets as randomness
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.deploy.inspect import place_of
from tempo_infra.errors import StepFailedError
from tempo_infra.inventory.logins import Login
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.steps.reading import Belongs, Passwords

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
    there = {host.name: _labels(host) for host in hosts}
    questions = {host: [Belongs(cluster), Passwords([*there[host]])] for host in there}
    found, errors = fleet.ask(questions, hosts, dict[str, str])
    for error in errors.values():
        raise error
    values: dict[str, str] = {}
    for secret in dict.fromkeys(secret for per_host in there.values() for secret in per_host.values()):
        said = {
            host: _plain(host, answer[label])
            for host, answer in found.items()
            for label, name in there[host].items()
            if name == secret and label in answer
        }
        if len(set(said.values())) > 1:
            raise StepFailedError(
                f"the hosts have different passwords of {secret}: {', '.join(sorted(said))}"
            )
        values |= dict.fromkeys([secret] * bool(said), next(iter(said.values()), ""))
    if not {login.secret for login in Login} & values.keys():
        raise StepFailedError("no host has a password of this cluster")
    return values


def _labels(host: Host) -> dict[str, str]:
    """Return what a host may have, as it is called there: its name in the secrets file."""
    own = {
        f"{component.name}/{one.name}": one.secret(host.name)
        for component in components.of_roles(host.roles)
        for one in component.whole.own_material
    }
    return {**{place_of(login): login.secret for login in Login}, **own}


def _plain(host: str, value: str) -> str:
    """Return a value as it lies on the host, with its line ends. StepFailedError for none."""
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except ValueError:
        raise StepFailedError("what it has in the place of a secret is none", host=host) from None


def remember(fleet: Fleet, hosts: Sequence[Host], origin: Origin) -> dict[str, TempoInfraError]:
    """Let the hosts know the new file, whatever they knew: it was made of what lies there."""
    step = change.Origin(origin.digests[-1], origin.write, randomness.token_hex(4), anyway=True)
    return fleet.do({host.name: [step] for host in hosts}, hosts)
