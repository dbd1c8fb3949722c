"""Hosts that can't be reached or fall silent: named with the stage and the seconds, while others go on."""

from __future__ import annotations

from lab import faults
from lab.hosts import Host, Lab
from lab.relay import Cut, Relay
from tests.lab.conftest import OVER_BOTH, OVER_BOTH_LONG, Inventory, Variants, starts

LESS_MEMORY = (r"(internal: 10\.99\.0\.12\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB")  # history-1 restarts


@OVER_BOTH_LONG
def test_a_frozen_host_ends_at_its_deadline_while_others_are_planned(cluster: Inventory, lab: Lab) -> None:
    with faults.frozen(lab.host("history-1")):
        ran = cluster.run("plan")
    assert ran.code == 3
    assert "history-1" in ran.said
    assert "unreachable: key exchange to 127.0.1.12:22 after" in ran.said
    assert "db-1        nothing to do" in ran.out


@OVER_BOTH_LONG
def test_one_host_that_can_not_be_read_stops_the_run_before_anything_changes(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    before = starts(lab)
    changed = variant((r"shards: 64", "shards: 64\n    # a comment"), (r"nofile: \d+", "nofile: 10000"))
    with faults.frozen(lab.host("front-1")):
        ran = changed.run("provision")
    assert ran.code == 3
    assert "nothing was changed on any host" in ran.said
    assert starts(lab) == before


@OVER_BOTH_LONG
def test_a_database_that_packets_do_not_reach_is_named_before_the_server_would_hang(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    """With dropped packets the Temporal server prints one line and waits without a word."""
    changed = variant(LESS_MEMORY)
    before = starts(lab)
    with faults.port_blocked(lab.host("history-1"), lab.host("db-1"), 5432):
        ran = changed.run("provision")
    assert ran.code == 1
    assert "database-answers" in ran.said
    assert "10.99.0.13:5432" in ran.said
    assert starts(lab) == before


@OVER_BOTH_LONG
def test_a_registry_that_is_away_leaves_everything_running(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    before = starts(lab)
    digest = f"ui:2.50.9: sha256:{'0' * 64}"
    changed = variant((r"ui: 2\.50\.1", "ui: 2.50.9"), (r"ui:2\.50\.1: sha256:\w+", digest))
    with faults.registry_away(lab.host("front-1")):
        ran = changed.run("provision")
    assert ran.code == 1
    assert "temporalio/ui:2.50.9" in ran.said
    assert "nothing was switched" in ran.said
    assert starts(lab) == before


@OVER_BOTH
def test_a_link_cut_in_the_upload_leaves_nothing_half_staged(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    """The cut falls into the archive: a plan over the same link tells how many bytes go before it."""
    host = lab.host("history-1")
    before = starts(lab)
    staged = host.must(["ls", "-A", "/var/lib/tempo-infra/generations"]).split()
    with Relay(host.ssh_address, host.ssh_port) as relay:
        changed = through(relay, host, lab, variant)
        assert changed.run("plan", "--host", "history-1").code == 0
        read_only_bytes = relay.traffic.up
    with Relay(
        host.ssh_address, host.ssh_port, cut=Cut(after=read_only_bytes + 1500, direction="up")
    ) as relay:
        ran = through(relay, host, lab, variant).run("provision", "--host", "history-1")
    assert ran.code == 3, ran.said
    assert "history-1: unreachable: lock" in ran.said
    assert starts(lab) == before
    assert host.must(["ls", "-A", "/var/lib/tempo-infra/generations"]).split() == staged


def through(relay: Relay, host: Host, lab: Lab, variant: Variants) -> Inventory:
    """An inventory with a change for history-1, which is reached through a relay."""
    known = lab.known_hosts.with_name("known_hosts-relay")
    known.write_text(lab.known_hosts.read_text() + host.pinned(relay.address, relay.port) + "\n")
    return variant(
        (r"known_hosts: known_hosts", "known_hosts: known_hosts-relay"),
        (r"address: 127\.0\.1\.12\n", f"address: {relay.address}\n    ssh: {{port: {relay.port}}}\n"),
        LESS_MEMORY,
    )
