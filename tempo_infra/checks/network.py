"""The network between the hosts, and the ports of this one."""

from __future__ import annotations

from dataclasses import asdict, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_most,
    follow,
    judged,
    noting,
    number,
    skipped,
    unread,
)
from tempo_infra.topology.instances import LOOPBACK

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.ports import Listener
    from tempo_infra.on_host.probes.network import Reached, Times

_ANY = ("0.0.0.0", "::")  # noqa: S104 - what listeners say, nothing is bound here


@check(
    "net.rtt",
    "the other hosts are near",
    severity=Severity.MAJOR,
    wants="p50 of connect() to each other host within rtt_ms; beyond rtt_fail_ms it fails",
    remedy="rent the hosts in one place, on one private network: each step of a workflow pays this often",
    source="https://etcd.io/docs/v3.5/tuning/",
)
def rtt(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    reached = follow(facts.network, lambda part: part.reached)
    if reached.value is None:
        return unread(reached)
    by_host: dict[str, Reached] = {}
    for one in reached.value:  # the first port that could be timed; another may be closed off
        if one.peer.host not in by_host or by_host[one.peer.host].times.value is None:
            by_host[one.peer.host] = one
    return tuple(_rtt(one, name, expected) for name, one in by_host.items())


def _rtt(one: Reached, subject: str, expected: Expected) -> Finding:
    limit, fail = expected.limit("rtt_ms"), expected.limit("rtt_fail_ms")

    def judge(told: Times) -> Finding:
        found = at_most(told.p50_ms, limit, fail=fail, unit="ms", label="p50")
        note = f"n={told.n}, {number(told.min_ms)} to {number(told.max_ms)} ms"
        return noting(found, note, peer=one.peer.host, **asdict(told))

    found = judged(one.times, judge, f"≤ {number(limit, 'ms')}")
    if one.times.value is None and not one.peer.needed:
        found = skipped(f"nothing here talks to it, and it doesn't answer on port {one.peer.port}")
    return replace(found, subject=subject)


@check(
    "net.frontend",
    "the frontend is near the workers of this host",
    severity=Severity.MAJOR,
    wants="named by --frontend HOST:PORT: it takes connections, their p50 within rtt_ms; beyond rtt_fail_ms "
    "it fails",
    remedy="run workers where the cluster is: each task is polled, started and completed over this",
    source="https://docs.temporal.io/develop/worker-performance",
)
def frontend(facts: Facts, expected: Expected) -> Finding:
    def judge(one: Reached) -> Finding:
        where = f"{one.peer.host}:{one.peer.port}"
        if one.answer != "open":
            return Finding(outcome=Outcome.FAIL, subject=where, found=one.answer, wanted="open")
        return _rtt(one, where, expected)

    return judged(follow(facts.network, lambda part: part.frontend), judge)


@check(
    "net.reach",
    "the services of the other hosts answer from here",
    severity=Severity.CRITICAL,
    wants="every port that this host talks to on another one is open; before provisioning, no firewall drops "
    "what is sent there",
    remedy="closed: is the service up there? No answer: open the port in the firewalls between the hosts",
    source="docs/explanation/architecture.md",
)
def reach(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    reached = follow(facts.network, lambda part: part.reached)
    if reached.value is None:
        return unread(reached)
    needed = [one for one in reached.value if one.peer.needed]
    if not needed:
        return skipped("nothing on this host talks to another one")
    if facts.generation.value is None:
        return _let_through(needed)
    found = tuple(_answered(one) for one in needed if one.answer != "open")
    return found or Finding(outcome=Outcome.PASS, found=f"{len(needed)} of {len(needed)} open")


def _let_through(needed: list[Reached]) -> Finding | tuple[Finding, ...]:
    """Before anything listens a host refuses, which proves the way; silence is a firewall's."""
    silent = [one for one in needed if one.answer not in ("open", "closed")]
    if not silent:
        return Finding(
            outcome=Outcome.PASS, found=f"{len(needed)} of {len(needed)} let through", wanted="no silence"
        )
    return tuple(replace(_answered(one), outcome=Outcome.WARN, wanted="open or closed") for one in silent)


def _answered(one: Reached) -> Finding:
    peer = one.peer
    return Finding(
        outcome=Outcome.FAIL,
        subject=f"{peer.what} on {peer.host}",
        found=f"{peer.address}:{peer.port} {one.answer}",
        wanted="open",
        evidence={**asdict(peer), "answer": one.answer},
    )


@check(
    "net.port",
    "the ports of this host's services are free for them",
    severity=Severity.CRITICAL,
    wants="free before provisioning; afterwards each one listened on, by the service; "
    "the UI on the loopback only",
    remedy="stop the other program (ss -ltnp shows it), or start the service: docker ps -a; "
    "`tempo-infra provision -i {inventory}` moves a UI that answers elsewhere",
    source="https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/",
)
def port(facts: Facts, expected: Expected) -> Finding:
    if not expected.ports:
        return skipped("its roles are not known")
    provisioned = facts.generation.value is not None

    def judge(told: tuple[Listener, ...]) -> Finding:
        here = {one.port for one in told if one.address in (*_ANY, expected.address(one.port))}
        wrong = sorted(set(expected.ports) - here if provisioned else set(expected.ports) & here)
        wider = _wider(told, expected) if provisioned else {}
        state = "closed" if provisioned else "taken"
        names = ", ".join(f"{one} ({expected.ports[one]})" for one in wrong)
        words = [
            *([f"{state}: {names}"] if wrong else []),
            *(f"{port} ({expected.ports[port]}) answers on {address}" for port, address in wider.items()),
        ]
        right = f"{len(expected.ports)} {'open' if provisioned else 'free'}"
        return Finding(
            outcome=Outcome.FAIL if words else Outcome.PASS,
            found="; ".join(words) or right,
            wanted="open" if provisioned else "free",
            evidence={"ports": sorted(expected.ports), state: wrong, "wider": wider},
        )

    return judged(follow(facts.network, lambda part: part.listeners), judge)


def _wider(told: tuple[Listener, ...], expected: Expected) -> dict[int, str]:
    """Return ports that are meant for the host itself, and the other address that they answer on."""
    return {
        one.port: one.address
        for one in told
        if one.port in expected.ports and expected.address(one.port) == LOOPBACK
        if not ip_address(one.address).is_loopback
    }


@check(
    "net.subnet",
    "nobody else has the addresses of the containers' network",
    severity=Severity.CRITICAL,
    wants="no route of any table, no address and no other network of Docker's overlaps it",
    remedy="choose another: `subnet:` in the inventory, of all hosts or of {host}; its bridge hides what "
    "else has these addresses",
    source="docs/explanation/who-may-reach-what.md",
)
def subnet(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    held = follow(facts.network, lambda part: part.subnets)
    if held.value is None:
        return unread(held)
    return tuple(
        Finding(
            outcome=Outcome.FAIL if one.by else Outcome.PASS,
            found=one.network + (f" overlaps {'; '.join(one.by)}" if one.by else " is nobody else's"),
            wanted="nobody else's",
            evidence={"network": one.network, "by": list(one.by)},
        )
        for one in held.value
    )


@check(
    "net.exposed",
    "the cluster's ports don't answer on the public address",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants="no port of the cluster takes a connection from the controller by the address that ssh uses",
    remedy="bind services to the internal address as `provision` does, or close the ports in the firewall",
    source="docs/explanation/architecture.md",
)
def exposed(facts: Facts, expected: Expected) -> Finding:
    reading = follow(facts.link, lambda link: link.exposed)

    def judge(told: tuple[int, ...]) -> Finding:
        names = ", ".join(f"{one} ({expected.ports.get(one, 'other')})" for one in told)
        outcome = Outcome.FAIL if told else Outcome.PASS
        found = f"open to the controller: {names}" if told else "none"
        return Finding(outcome=outcome, found=found, wanted="none", evidence={"ports": list(told)})

    return judged(reading, judge)
