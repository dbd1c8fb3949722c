"""What a run costs on a long line: round trips, counted by a relay between controller and host."""

from __future__ import annotations

from lab.hosts import Lab
from lab.relay import Relay
from tests.lab.conftest import OVER_BOTH, Inventory, Variants

LESS_MEMORY = (r"(internal: 10\.99\.0\.12\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB")
NOOP_AT_MOST, PUSH_AT_MOST = 9, 12


@OVER_BOTH
def test_a_noop_and_a_changed_push_take_few_round_trips(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    host = lab.host("history-1")
    with Relay(host.ssh_address, host.ssh_port, delay_ms=10) as relay:
        known = lab.known_hosts.with_name("known_hosts-trips")
        known.write_text(lab.known_hosts.read_text() + host.pinned(relay.address, relay.port) + "\n")
        way = (
            (r"known_hosts: known_hosts", f"known_hosts: {known.name}"),
            (r"address: 127\.0\.1\.12\n", f"address: {relay.address}\n    ssh: {{port: {relay.port}}}\n"),
        )
        variant(*way).provision("--host", "history-1")
        noop = relay.round_trips
        relay.traffic.reset()
        variant(*way, LESS_MEMORY).provision("--host", "history-1")
        push = relay.round_trips
        known.unlink()
    cluster.provision()
    assert 0 < noop <= NOOP_AT_MOST
    assert noop < push <= PUSH_AT_MOST
