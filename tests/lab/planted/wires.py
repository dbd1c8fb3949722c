"""Faults of ports and of the network between hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lab.relay import Relay
from tempo_infra.components import port
from tempo_infra.inventory.cluster import Role
from tests.lab.planted.fault import VM_ROLE, Fault, Plant, Site, done, nothing

HISTORY = port("history", "grpc")
CHAINS = ("OUTPUT", "FORWARD")  # of the host itself, and of its containers
TAKEN = port("frontend", "grpc")


def blocked(how: str) -> Plant:
    """New connections to the history service's gRPC port don't come through; those that are open live on."""

    @contextmanager
    def plant(site: Site) -> Iterator[None]:
        [target] = site.cluster.with_role(Role.HISTORY)
        rule = f"-p tcp -d {target.internal} --dport {HISTORY} -m conntrack --ctstate NEW -j {how}"
        with ExitStack() as stack:
            for chain in CHAINS:
                add, remove = f"iptables -w -I {chain} {rule}", f"iptables -w -D {chain} {rule}"
                stack.enter_context(done(site, add, remove))
            yield

    return plant


@contextmanager
def exposed(site: Site) -> Iterator[None]:
    """The service answers on the address that ssh uses, as with `ports: 7234:7234`."""
    relay = Relay(site.rack_host.internal_address, HISTORY, address=site.rack_host.ssh_address)
    relay.port = HISTORY
    with relay:
        yield


@contextmanager
def taken(site: Site) -> Iterator[None]:
    """Another program listens where the frontend will want to."""
    start = f"systemd-run -q --collect --unit=planted python3 -m http.server {TAKEN}"
    listens = f"for n in $(seq 60); do ss -Hltn | grep -q ':{TAKEN} ' && exit 0; sleep 0.5; done; exit 1"
    with done(site, f"{start} && {listens}", "systemctl stop planted"):
        yield


@contextmanager
def routed(site: Site) -> Iterator[None]:
    """A tunnel brings the provider's network, in a table of its own; ours lies in it."""
    link = "ip link add planted type bridge && ip link set planted up"
    add = f"{link} && ip route add 172.16.0.0/12 dev planted table 77"
    with done(site, add, "ip link del planted"):
        yield


NOT_IN_THE_RING = {"temporal.members": "the ring loses who can't be reached, after some seconds"}
FAULTS = (
    Fault(
        "workers that can't reach the frontend",
        "history",
        "net.frontend",
        "fail",
        "`--frontend` names a port of the frontend's host on which nothing listens",
        nothing,
        words=("--frontend", "10.99.0.11:7299"),
    ),
    Fault(
        "closed port",
        "frontend",
        "net.reach",
        "fail",
        "a firewall on the frontend's host resets new connections to the history service",
        blocked("REJECT --reject-with tcp-reset"),
        fast=True,
        may=NOT_IN_THE_RING,
    ),
    Fault(
        "firewall that drops",
        "frontend",
        "net.reach",
        "fail",
        "a firewall on the frontend's host drops new connections to the history service",
        blocked("DROP"),
        may=NOT_IN_THE_RING,
    ),
    Fault(
        "route into the containers' network",
        "history",
        "net.subnet",
        "fail",
        "a table of routes leads 172.16.0.0/12 elsewhere",
        routed,
        fast=True,
    ),
    Fault(
        "exposed port",
        "history",
        "net.exposed",
        "fail",
        "the history service is published on the public address, too",
        exposed,
        fast=True,
    ),
    Fault(
        "port taken by another program",
        VM_ROLE,
        "net.port",
        "fail",
        "a web server listens on the frontend's port before anything is provisioned",
        taken,
    ),
)
