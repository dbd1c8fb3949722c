"""A hundred hosts behind one sshd that drops newcomers: every one is read and pushed to, none twice.

They share one lab host: extra-1, which nothing else uses then, or else the one with the most memory, because
a hundred programs at once want two gigabytes. About four minutes for each transport.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import files_only
from lab.hosts import Host
from lab.many import PORT, UNIT, many
from tests.lab.conftest import Ran, claim, push_files, running_lab

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("transport", ["paramiko", "openssh"])]
DROPPED = "drop connection"  # sshd's word for what MaxStartups does
IDLE = "extra-1"


@pytest.fixture(scope="module")
def host() -> Host:
    lab = running_lab("python3 -m lab up --hosts 4")
    chosen = max(lab.hosts, key=lambda one: (one.name == IDLE, one.memory_mb))
    claim(lab.root, [chosen.name])
    return chosen


def pushed(host: Host, addresses: list[str], folder: Path, transport: str, somaxconn: int = 4096) -> Ran:
    known, inventory = folder / "known_hosts", folder / "inventory.yaml"
    known.write_text("".join(host.pinned(address, PORT) + "\n" for address in addresses))
    text = files_only.inventory(
        [(address, PORT) for address in addresses],
        addresses,
        key=host.root / "id_ed25519",
        known_hosts=known,
        transport=transport,
        somaxconn=somaxconn,
    )
    inventory.write_text(text)
    return push_files(inventory, timeout_s=400)


def dropped(host: Host) -> int:
    return host.must(["journalctl", "-u", UNIT, "-o", "cat", "--since", "-10min"]).count(DROPPED)


def test_a_hundred_hosts_within_sshds_default_of_newcomers(
    host: Host, tmp_path: Path, transport: str
) -> None:
    """MaxStartups 10:30:100, shared by all."""
    with many(host, 100) as addresses:
        first = pushed(host, addresses, tmp_path, transport)
        assert (first.code, first.out) == (0, "100 changed, 0 unchanged\n"), first.err
        again = pushed(host, addresses, tmp_path, transport)
        assert (again.code, again.out) == (0, "0 changed, 100 unchanged\n"), again.err
        for address in addresses:
            journal = in_files_of(host, address, "cat /var/lib/tempo-infra/journal.jsonl")
            assert journal.count('"confirmed"') == 1, address


def test_an_sshd_that_drops_most_newcomers_is_knocked_at_until_it_opens(
    host: Host, tmp_path: Path, transport: str
) -> None:
    before = dropped(host)
    with many(host, 20, max_startups="3:40:12") as addresses:
        ran = pushed(host, addresses, tmp_path, transport)
    assert (ran.code, ran.out) == (0, "20 changed, 0 unchanged\n"), ran.err
    assert dropped(host) > before


def in_files_of(host: Host, address: str, command: str) -> str:
    return host.must(["nsenter", f"--mount=/run/lab-many/{address}", "sh", "-c", command])
