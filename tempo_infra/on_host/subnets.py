"""Who has the addresses of a network on this host: Docker's other networks, routes of every table, addresses.

Docker keeps clear of routes for networks that it chooses itself. One that is pinned gets its bridge, and
hides from this host whatever the route led to.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

from tempo_infra.on_host import engine
from tempo_infra.on_host.layout import PROJECT
from tempo_infra.on_host.routes import Route, routes
from tempo_infra.on_host.shell import StepError

MOST_HOLDERS = 8  # that are named for one network
# The widest private network is a /8; what is wider is a default route, whole or in halves (0.0.0.0/1).
WIDEST = 8


@dataclass(frozen=True)
class Subnets:
    held: "dict[str, list[str]]" = field(default_factory=dict)  # what was asked for -> by whom, in words
    ours: "dict[str, list[str]]" = field(default_factory=dict)  # our compose project's network -> its subnets


def look(wanted: "list[str]", *, deadline_s: float, has_engine: bool = True) -> Subnets:
    """Ask the engine and the kernel; StepError when the engine does not answer, OSError of the kernel."""
    try:
        networks = engine.networks(deadline_s=deadline_s) if has_engine else []
    except engine.NobodyThereError:
        networks = []
    ours = {_label(one, "network"): _subnets(one) for one in networks if _is_ours(one)}
    if not wanted:
        return Subnets({}, ours)
    bridges = {_bridge(one) for one in networks}
    others = [one for one in networks if not _is_ours(one)]
    known = _told([one for one in routes() if one.device not in bridges])
    named = [(net, f"Docker's network {one.get('Name')} ({net})") for one in others for net in _subnets(one)]
    held = {one: [words for network, words in (*named, *known) if overlap(one, network)] for one in wanted}
    return Subnets({one: found[:MOST_HOLDERS] for one, found in held.items()}, ours)


def problems(found: Subnets, network: str) -> "list[str]":
    """Say who else has its addresses."""
    return [f"the containers' network {network} overlaps {words}" for words in found.held.get(network, ())]


def overlap(one: str, other: str) -> bool:
    """Whether two IPv4 networks, as "172.30.0.0/24", have an address in common."""
    (first, bits), (second, more) = _numbers(one), _numbers(other)
    return (first ^ second) >> (32 - min(bits, more)) == 0


def _numbers(network: str) -> "tuple[int, int]":
    address, _, bits = network.partition("/")
    return int.from_bytes(socket.inet_aton(address), "big"), int(bits)


def _told(found: "list[Route]") -> "list[tuple[str, str]]":
    """Say each in words; an address says nothing beside the route of its own network."""
    leading = [one for one in found if not one.local and int(one.network.partition("/")[2]) >= WIDEST]
    known = [(to.device, to.network) for to in leading]
    own = [
        one
        for one in found
        if one.local and not any(one.device == dev and overlap(one.network, net) for dev, net in known)
    ]
    words = {}
    for one in (*leading, *own):
        way = f" via {one.gateway}" if one.gateway else ""
        address = one.network.partition("/")[0]
        what = f"the address {address}" if one.local else f"the route {one.network}{way}"
        words[f"{what} ({one.device})" if one.device else what] = one.network
    return [(network, what) for what, network in words.items()]


def _is_ours(network: "dict[str, Any]") -> bool:
    return _label(network, "project") == PROJECT


def _label(network: "dict[str, Any]", name: str) -> str:
    return str((network.get("Labels") or {}).get(f"com.docker.compose.{name}", ""))


def _bridge(network: "dict[str, Any]") -> str:
    named = (network.get("Options") or {}).get("com.docker.network.bridge.name")
    return str(named or f"br-{str(network.get('Id', ''))[:12]}")


def _subnets(network: "dict[str, Any]") -> "list[str]":
    """Return its IPv4 subnets."""
    configs = (network.get("IPAM") or {}).get("Config") or ()
    found = (str(one.get("Subnet", "")) for one in configs if isinstance(one, dict))
    return sorted(one for one in found if "/" in one and ":" not in one)


def asked(wanted: "list[str]", *, deadline_s: float, has_engine: bool) -> Subnets:
    """As `look`, for who asks in passing: what can't be read is said by the guard that needs it."""
    try:
        return look(wanted, deadline_s=deadline_s, has_engine=has_engine)
    except (StepError, OSError):
        return Subnets()
