"""What a run costs on a long line: round trips, counted by a relay between controller and host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.hosts import Lab
from lab.process import run
from lab.relay import Relay
from tests.lab.conftest import OVER_BOTH, Inventory, Variants, starts

LESS_MEMORY = (r"(internal: 10\.99\.0\.12\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB")
FILE_ONLY = (r"\nhosts:\n", "\noverrides:\n  sysctl: {net.core.somaxconn: 8192}\n\nhosts:\n")
MORE_WITHOUT_RESTART = 4  # read, stage, switch, confirm
MORE_WITH_NOTHING_TO_DO = 2  # none on a quiet machine
PUSH_AT_MOST = 12


@pytest.fixture
def way(lab: Lab) -> Iterator[tuple[Relay, tuple[tuple[str, str], ...]]]:
    """A relay before history-1, and what an inventory says to go through it."""
    host = lab.host("history-1")
    known = lab.known_hosts.with_name("known_hosts-trips")
    with Relay(host.ssh_address, host.ssh_port, delay_ms=10) as relay:
        known.write_text(lab.known_hosts.read_text() + host.pinned(relay.address, relay.port) + "\n")
        yield (
            relay,
            (
                (r"known_hosts: known_hosts", f"known_hosts: {known.name}"),
                (
                    r"address: 127\.0\.1\.12\n",
                    f"address: {relay.address}\n    ssh: {{port: {relay.port}}}\n",
                ),
            ),
        )
    known.unlink()


def bare(relay: Relay, lab: Lab) -> int:
    """Round trips of `ssh host true`: connection, keys, login, and a command that says nothing."""
    relay.traffic.reset()
    options = (
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={lab.root}/known_hosts-trips",
        "BatchMode=yes",
    )
    words = [word for option in options for word in ("-o", option)]
    key = ["-o", "IdentitiesOnly=yes", "-i", str(lab.key)]
    run(["ssh", "-F", "/dev/null", *words, *key, "-p", str(relay.port), f"deploy@{relay.address}", "true"])
    return relay.round_trips


def trips(relay: Relay, inventory: Inventory) -> int:
    """Round trips of a run; a busy machine adds some: bytes are taken later."""
    relay.traffic.reset()
    inventory.provision("--host", "history-1")
    return relay.round_trips


@OVER_BOTH
def test_a_push_without_a_restart_takes_four_round_trips_more_than_ssh_itself(
    cluster: Inventory, lab: Lab, variant: Variants, way: tuple[Relay, tuple[tuple[str, str], ...]]
) -> None:
    relay, through = way
    before, least = starts(lab), max(bare(relay, lab) for _ in range(2))
    same, changed = variant(*through), variant(*through, FILE_ONLY)
    noop = min(trips(relay, same) for _ in range(2))
    push = trips(relay, changed)
    assert "net.core.somaxconn = 8192" in lab.host("history-1").must(["sysctl", "net.core.somaxconn"])
    push = min(push, trips(relay, same))
    assert relay.traffic.connections == 1
    cluster.provision()
    assert starts(lab) == before
    assert noop <= least + MORE_WITH_NOTHING_TO_DO
    assert push <= least + MORE_WITHOUT_RESTART


def test_a_push_with_a_restart_takes_few_round_trips(
    cluster: Inventory, lab: Lab, variant: Variants, way: tuple[Relay, tuple[tuple[str, str], ...]]
) -> None:
    relay, through = way
    there, back = variant(*through, LESS_MEMORY), variant(*through)
    fewest = min(trips(relay, there), trips(relay, back))
    cluster.provision()
    assert 0 < fewest <= PUSH_AT_MOST
