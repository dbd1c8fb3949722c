"""Measuring hosts: facts come back, or the error that stood in the way."""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.checks import read_facts
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.errors import UnreachableError
from tempo_infra.inventory.addresses import canonical
from tempo_infra.on_host.facts import Link
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.on_host.steps import reading
from tempo_infra.ssh import fan_out
from tempo_infra.ssh.dial import dial

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tempo_infra.deploy.session import Session
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.facts import Facts, FactsOptions

AT_ONCE = 4  # measurements of hosts on one hypervisor would disturb each other if all ran together
CLOCK_ROUNDS, CLOCK_MOST_ROUNDS = 8, 40  # the fastest counts; the others were held up somewhere
GOOD_ROUND_TRIP_MS = 50  # two hosts' doubts of half of it are still within a skew of 100 ms
QUICK_DEADLINE_S, DEADLINE_S, CLOCK_DEADLINE_S = 60.0, 180.0, 60.0
LAST_NS = 2**63
KNOCK_S = 1.0  # a firewall that drops doesn't answer, and that is fine


def gather(
    hosts: Sequence[Host],
    options: Mapping[str, FactsOptions],
    sudo: Sudo,
    ports: Mapping[str, Collection[int]] | None = None,
) -> Mapping[str, Facts | TempoInfraError]:
    """Measure hosts side by side, each over one new connection: login limits are those of a fresh login.

    `ports` are knocked at from here, by host: those that must not answer on the address that ssh uses.
    """
    by_name = {host.name: host for host in hosts}

    def measure(name: str) -> Facts:
        host = by_name[name]
        with open_session(host, sudo) as session:
            link = _link(session, host, (ports or {}).get(name, ()))
            step = reading.Facts(options[name])
            [answer] = session.call([step], deadline_s=_deadline_s(options[name]))
        return replace(read_facts(json.dumps(answer), host=name), link=Reading(link))

    return fan_out(measure, by_name, at_once=AT_ONCE)


def _deadline_s(options: FactsOptions) -> float:
    """Return how long a host may take: far more than the slowest disk needs, and not for ever."""
    return QUICK_DEADLINE_S if options.quick else DEADLINE_S * options.stretch


def _link(session: Session, host: Host, ports: Collection[int]) -> Link:
    """Measure the host's clock by Cristian's rule: it was read half a round trip before the answer came."""

    def ask() -> int:
        [answer] = session.call([reading.Clock()], deadline_s=CLOCK_DEADLINE_S)
        ns = answer.get("ns") if isinstance(answer, dict) else None
        if not isinstance(ns, int) or not 0 <= ns < LAST_NS:
            raise UnreachableError("clock: its answer is no time", host=host.name)
        return ns

    offset_ms, round_trip_ms = best_offset(ask, CLOCK_ROUNDS)
    exposed = exposed_at(session.reached, host.internal, ports)
    return Link(round(offset_ms, 3), round(round_trip_ms / 2, 3), round(round_trip_ms, 3), exposed)


def best_offset(
    ask: Callable[[], int], rounds: int, now: Callable[[], int] = time.time_ns
) -> tuple[float, float]:
    """Return how far the other clock is ahead, and the round trip that says so, both in ms.

    Where each of the rounds was held up, it asks more often: a busy host or controller is no wrong clock.
    """
    measured: list[tuple[float, float]] = []
    while len(measured) < rounds or (
        min(measured)[0] > GOOD_ROUND_TRIP_MS * 1e6 and len(measured) < CLOCK_MOST_ROUNDS
    ):
        sent = now()
        theirs = ask()
        came = now()
        measured.append((came - sent, theirs - (sent + came) / 2))
    round_trip_ns, offset_ns = min(measured)
    return offset_ns / 1e6, round_trip_ns / 1e6


def exposed_at(address: str | None, internal: str, ports: Collection[int]) -> Reading[tuple[int, ...]]:
    """Knock at ports on the address that ssh reached; nothing to find where it is the internal one.

    Behind a jump host (None) the address means something else here than it does there.
    """
    if not ports:
        return Reading(None, "the ports of this host are not known", not_wanted=True)
    if address is None:
        return Reading(None, "the host is reached through another one", not_wanted=True)
    if canonical(address) == internal:
        return Reading(None, "ssh uses the internal address, too", not_wanted=True)
    asked = sorted(ports)
    with ThreadPoolExecutor(max_workers=len(asked)) as pool:  # a firewall that drops costs its second once
        answers = list(pool.map(lambda port: _opens(address, port), asked))
    return Reading(tuple(port for port, opens in zip(asked, answers, strict=True) if opens))


def _opens(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), dial(address, port, KNOCK_S):
        return True
    return False
