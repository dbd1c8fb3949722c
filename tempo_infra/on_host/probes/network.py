"""How far the other hosts are, and which ports are taken here.

A round trip is the time that connect(2) takes: an open port and a closed one answer alike, no tool and no
right is needed, and ICMP may be filtered where TCP is not.
"""

from __future__ import annotations

import errno
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tempo_infra.on_host import subnets
from tempo_infra.on_host.child import aside
from tempo_infra.on_host.ports import Listener, listening
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt

WARM_UP = 3
SAMPLES = 30
TIMEOUT_S = 2.0
LOOK_UP_S, ENGINE_S = 6.0, 20.0
KNOCKS = 32  # at once
BUDGET_S = 6.0  # of one peer: thirty round trips around the globe
METHOD = "connect(2) by TCP, one after the other, after 3 warm-ups"


@dataclass(frozen=True, slots=True)
class Peer:
    """A port of another host that this one talks to."""

    host: str
    address: str
    port: int
    what: str  # "postgresql", "history", ...
    needed: bool = True  # False: only its distance is asked for


@dataclass(frozen=True, slots=True)
class Times:
    n: int
    min_ms: float
    p50_ms: float
    max_ms: float
    method: str = METHOD


@dataclass(frozen=True, slots=True)
class Reached:
    peer: Peer
    answer: str  # "open", "closed", or why there was none
    times: Reading[Times]


@dataclass(frozen=True, slots=True)
class Held:
    """Who has addresses of the containers' network beside them, in words."""

    network: str
    by: tuple[str, ...]


NOT_ASKED: "Reading[Any]" = Reading(None, "the containers' network is not known", not_wanted=True)


@dataclass(frozen=True, slots=True)
class Network:
    listeners: Reading[tuple[Listener, ...]]
    reached: Reading[tuple[Reached, ...]]
    frontend: Reading[Reached]  # for hosts where workers run
    subnets: Reading[tuple[Held, ...]] = NOT_ASKED


def _listeners() -> "tuple[Listener, ...]":
    return tuple(sorted(listening(), key=lambda one: (one.port, one.address)))


def connect(address: str, port: int) -> "tuple[str, float]":
    """Connect once; the answer, and the milliseconds that it took."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(TIMEOUT_S)
        begun = time.perf_counter()
        number = client.connect_ex((address, port))
        passed_ms = (time.perf_counter() - begun) * 1000
    if number == 0:
        return "open", passed_ms
    if number == errno.ECONNREFUSED:
        return "closed", passed_ms
    if number in (errno.EAGAIN, errno.EINPROGRESS, errno.ETIMEDOUT):
        return f"no answer in {TIMEOUT_S:g} s", passed_ms
    return errno.errorcode.get(number, str(number)).lower(), passed_ms


def times(measured_ms: "list[float]") -> Times:
    ordered = sorted(measured_ms)
    if not ordered:
        raise Unread("no round trip was measured")
    return Times(
        len(ordered),
        round(ordered[0], 3),
        round(ordered[len(ordered) // 2], 3),
        round(ordered[-1], 3),
    )


def reach(peer: Peer, answer: str = "", *, samples: int = SAMPLES) -> Reached:
    """Connect to a peer, if its answer is not known yet; with samples, often enough to time it."""
    answer = answer or connect(peer.address, peer.port)[0]
    if answer not in ("open", "closed"):
        return Reached(peer, answer, Reading(None, answer))
    if not samples:
        return Reached(peer, answer, Reading(None, "timed on another port of this host", not_wanted=True))
    measured: "list[float]" = []
    until = time.monotonic() + BUDGET_S
    for index in range(WARM_UP + samples):
        told, passed_ms = connect(peer.address, peer.port)
        if index >= WARM_UP and told in ("open", "closed"):
            measured.append(passed_ms)
        if time.monotonic() > until:
            break
    return Reached(peer, answer, attempt(lambda: times(measured)))


def _reached(peers: "tuple[Peer, ...]") -> "tuple[Reached, ...]":
    if not peers:
        raise Unread("no other host is known", not_wanted=True)
    with ThreadPoolExecutor(max_workers=KNOCKS) as pool:  # a host that drops packets costs its timeout once
        answers = list(pool.map(lambda peer: connect(peer.address, peer.port)[0], peers))
    timed: "set[str]" = set()
    found = []
    for peer, answer in zip(peers, answers, strict=True):
        one = reach(peer, answer, samples=0 if peer.host in timed else SAMPLES)
        found.append(one)
        if one.times.value is not None:
            timed.add(peer.host)
    return tuple(found)


def address_of(name: str) -> str:
    """Look a name up; OSError. A resolver has no deadline, and may wait for minutes."""

    def first() -> str:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])

    return aside(first, f"the address of {name}", deadline_s=LOOK_UP_S)


def _frontend(address: str) -> Reached:
    if not address:
        raise Unread("no frontend was named; --frontend HOST:PORT does", not_wanted=True)
    host, _, port = address.rpartition(":")
    name = host.strip("[]")
    try:
        found = address_of(name)
    except OSError as error:
        raise Unread(f"{name}: {(error.strerror or str(error)).lower()}") from error
    return reach(Peer(name, found, int(port), "frontend"))


def _held(wanted: "tuple[str, ...]") -> "tuple[Held, ...]":
    if not wanted:
        raise Unread(NOT_ASKED.unread, not_wanted=True)
    found = subnets.look(list(wanted), deadline_s=ENGINE_S)
    return tuple(Held(one, tuple(found.held[one])) for one in wanted)


def read(peers: "tuple[Peer, ...]", frontend: str = "", containers: "tuple[str, ...]" = ()) -> Network:
    return Network(
        listeners=attempt(_listeners),
        reached=attempt(lambda: _reached(peers)),
        frontend=attempt(lambda: _frontend(frontend)),
        subnets=attempt(lambda: _held(containers)),
    )
