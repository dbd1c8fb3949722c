"""One line a host: what is rented counts for the class, and the figures stand beside what was wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tempo_infra.checks import judge, verdict
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.facts import Facts
from tempo_infra.on_host.probes.cpu import Steal
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks.hosts import (
    FAILED,
    container,
    expected,
    fsync,
    having,
    healthy,
    reached,
    with_database,
)


def told(facts: Facts, role: Role, **limits: Any) -> str:
    wanted = replace(expected(role), **limits)
    database = judge(with_database(), expected(Role.POSTGRESQL))
    return verdict(judge(facts, wanted), wanted, () if role is Role.POSTGRESQL else database)


def test_the_database_host_is_judged_by_its_durable_writes() -> None:
    line = told(with_database(), Role.POSTGRESQL)
    assert line == (
        "fit for its class (NVMe-Series); fsync p50 0.13 ms  p99 2.4 ms (≤ 1 ms / ≤ 10 ms), "
        "steal 0.4 % under load (≤ 2 %), 4 vCPU (≥ 4), 8 GiB (≥ 7.2 GiB)"
    )
    slow = having(with_database(), "fsync", Reading(fsync(p50_us=5100)))
    assert told(slow, Role.POSTGRESQL).startswith(
        "not fit for its class (NVMe-Series): disk.fsync; fsync p50 5.1"
    )


def test_a_history_host_is_judged_by_its_way_to_the_database_whatever_its_disk() -> None:
    slow_disk = having(healthy(), "fsync", Reading(fsync(p50_us=51_000)))
    line = told(slow_disk, Role.HISTORY)
    assert line.startswith("fit for its class (NVMe-Series); steal 0.4 % under load")
    assert "round trip to db-1 p50 0.4 ms (≤ 2 ms)" in line
    assert "51" not in line
    assert line.endswith("its durable writes are flushed on db-1: fsync p50 0.13 ms  p99 2.4 ms there")
    far = having(healthy(), "network.reached", Reading((reached("db-1", 14.0, 5432, "postgresql"),)))
    assert told(far, Role.HISTORY).startswith("not fit for its class (NVMe-Series): net.rtt; ")


@pytest.mark.parametrize(
    ("path", "reading", "words"),
    [
        ("virt.container", Reading("lxc"), "not fit for its class (NVMe-Series): virt.kind"),
        ("cpu.count", Reading(2), "not fit for its class (NVMe-Series): cpu.count"),
        (
            "cpu.steal_loaded",
            FAILED,
            "not known to be fit for its class (NVMe-Series): cpu.steal not measured",
        ),
        ("cpu.steal_loaded", Reading(Steal(1.0, 20, 2.8)), "cpu.steal not measured"),
        (
            "docker.containers",
            Reading((container("history", hard=1024, soft=1024),)),
            "not in order: nofile.container",
        ),
        ("kernel.somaxconn", Reading(128), "fit for its class (NVMe-Series); not in order: kernel.somaxconn"),
    ],
)
def test_what_can_be_put_right_is_not_the_machines_fault(
    path: str, reading: Reading[Any], words: str
) -> None:
    assert words in told(having(healthy(), path, reading), Role.HISTORY)


def test_checks_that_were_not_asked_for_say_nothing_of_fitness() -> None:
    wanted = expected(Role.POSTGRESQL)
    assert verdict(judge(healthy(), wanted, only=["kernel.somaxconn"]), wanted) == ""
