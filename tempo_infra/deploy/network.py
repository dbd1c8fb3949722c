"""The network of a host's containers: what is wanted, what the host has, who else has its addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.subnets import CANDIDATES
from tempo_infra.on_host.compose_network import differs
from tempo_infra.on_host.subnets import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle


def subnets(bundle: Bundle) -> list[str]:
    return sorted({subnet for one in bundle.networks.values() for subnet in one})


def new_subnets(bundle: Bundle, state: HostState) -> list[str]:
    """Return those that the containers of this host do not have yet."""
    have = {subnet for one in state.subnets.ours.values() for subnet in one}
    return [one for one in subnets(bundle) if one not in have]


def moves(bundle: Bundle, state: HostState) -> str:
    """Return the network that containers which run move to; empty: they stay in theirs."""
    return ", ".join(subnets(bundle)) if differs(state.subnets.ours, bundle.networks) else ""


def against(host: str, bundle: Bundle, state: HostState) -> Iterator[str]:
    """Refuse a network whose addresses somebody else has."""
    for one in new_subnets(bundle, state):
        yield from (f"{words}: {_instead(host, state)}" for words in problems(state.subnets, one))


def warnings(host: str, bundle: Bundle, state: HostState) -> Iterator[str]:
    """Say who can't be reached from a host whose containers have the same addresses already."""
    for one in sorted({*subnets(bundle)} - {*new_subnets(bundle, state)}):
        for words in problems(state.subnets, one):
            yield f"{words}, which this host can't reach there: {_instead(host, state)}"


def _instead(host: str, state: HostState) -> str:
    free = next((one for one in CANDIDATES if state.subnets.held.get(one) == []), "")
    example = f"{free} is free here" if free else "such as 10.200.0.0/24"
    return f"name another in the inventory, `subnet:` of all or under hosts.{host} ({example})"
