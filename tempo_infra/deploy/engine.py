"""What speaks against a host's container engine, from its state and from what would run in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.components.component import Reach
from tempo_infra.on_host.bootstrap import PACKAGES
from tempo_infra.on_host.engine import COMPOSE_FLOOR, FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle

DOCKER_CE = "install docker-ce with its compose plugin"
NO_RULES = (
    'Docker makes no rules of the firewall ("iptables": false): containers of {} would not reach other '
    "hosts, and PostgreSQL would take everybody for a neighbour; take it out of /etc/docker/daemon.json and "
    "restart docker, or use network: host"
)


def objections(host: Host, bundle: Bundle, state: HostState, *, bootstrap: bool) -> Iterator[str]:
    docker = state.docker
    if docker.unfit:
        beside = "; --bootstrap puts no second engine beside it" if bootstrap and not docker.engine else ""
        yield from (f"{one.what}; {one.remedy}{beside}" for one in docker.unfit)
    elif docker.engine is None:
        yield from _none(state, bootstrap=bootstrap)
    elif version(docker.engine) < FLOOR:
        yield f"Docker engine {docker.engine} is too old: 24 is the oldest that works"
    elif docker.compose is None or version(docker.compose) < COMPOSE_FLOOR:
        found = docker.compose or "no `docker compose`"
        yield (
            f"{found} on {state.os_id}: compose 2.20 is the oldest that works; install docker-compose-plugin"
        )
    elif not docker.filters and (bridged := behind_the_bridge(host, bundle)):
        yield NO_RULES.format(", ".join(bridged))


def _none(state: HostState, *, bootstrap: bool) -> Iterator[str]:
    fits = state.os_id in PACKAGES
    if not bootstrap:
        yield "Docker: not installed; " + (
            "--bootstrap installs the distribution's own" if fits else DOCKER_CE
        )
    elif not fits:
        old = f"{state.os_id}'s own packages hold no engine >= 24 with compose >= 2.20"
        yield f"Docker: not installed, and {old}; {DOCKER_CE}"


def behind_the_bridge(host: Host, bundle: Bundle) -> list[str]:
    """Return the services that reach others, or are reached, by rules that the engine makes.

    One that operators alone reach is published by a program of the engine's: beside all that it asks, as a UI
    beside its frontend, it needs no rules.
    """
    bridged = [name for name, one in bundle.instances.items() if not (one.shares_network or one.job)]
    return sorted(set(bridged) - _inside(host))


def _inside(host: Host) -> set[str]:
    carried = components.of_roles(host.roles)
    here = {one.name for one in carried}
    return {
        one.name
        for one in carried
        if one.asks and here.issuperset(one.asks) and all(port.reach is Reach.OPERATORS for port in one.ports)
    }


def version(text: str) -> tuple[int, ...]:
    """Return the first three numbers of a version; one longer than any is cut."""
    return tuple(int(part[:9]) for part in re.findall(r"[0-9]+", text)[:3])
