"""The network of a host's containers: the one that the inventory names, or the first that holds no host."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster, Host

CANDIDATES = ("172.30.0.0/24", "172.29.0.0/24", "192.168.230.0/24")
WIDEST, NARROWEST = 16, 28  # a /28 holds the gateway, eight containers of ours, and a few that people start
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))  # RFC 1918


def subnet(text: str) -> str:
    """Return a network that containers can have; ValueError in plain words."""
    try:
        found = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError("not an IPv4 network, such as 172.30.0.0/24") from None
    if "/" not in text or not text.rpartition("/")[2].isdecimal():
        raise ValueError(f"without the length of its prefix, as in {found.network_address}/24")
    if not WIDEST <= found.prefixlen <= NARROWEST:
        raise ValueError(
            f"a prefix of /{found.prefixlen}; /{WIDEST} to /{NARROWEST} fits a host's containers"
        )
    if str(found) != text:
        raise ValueError(f"bits are set beyond its prefix; the network is {found}")
    if not any(found.subnet_of(one) for one in _PRIVATE if isinstance(one, IPv4Network)):
        raise ValueError("in no private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)")
    return text


def of_host(cluster: Cluster, host: Host) -> str:
    """Return the network of a host's containers: its own, the cluster's, or the first candidate.

    InputError when each of those holds a host's internal address.
    """
    if chosen := host.subnet or cluster.subnet:
        return chosen
    for candidate in CANDIDATES:
        if not any(holds(candidate, one.internal) for one in cluster.hosts):
            return candidate
    raise InputError(
        f"internal addresses lie in each of {', '.join(CANDIDATES)}",
        remedy="name another network for the containers, such as `subnet: 10.200.0.0/24`",
    )


def used_by(cluster: Cluster, host: Host) -> tuple[str, ...]:
    """Return the network of a host's containers, unless all of them have the host's own."""
    bridged = not cluster.shares_network or any(not one.binds for one in components.of_roles(host.roles))
    return (of_host(cluster, host),) if bridged else ()


def holds(network: str, text: str) -> bool:
    """Whether an address lies in a network; what is no address lies in none."""
    try:
        return ip_address(text) in ip_network(network)
    except ValueError:
        return False
