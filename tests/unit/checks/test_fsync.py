"""Whose disk counts, what p99 is worth, and what is judged where a database runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tempo_infra.checks import Finding, Outcome, find
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.probes.disk import Device, Mount
from tempo_infra.on_host.probes.fsync import Flushes
from tempo_infra.on_host.probes.postgres import Postgres
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks.hosts import expected, fsync, having, healthy, postgres

[LATENCY] = find("disk.fsync")
[FLUSH] = find("disk.flush")
RUNS: Reading[Any] = Reading(None, "a PostgreSQL server runs here", not_wanted=True)


@pytest.mark.parametrize(
    ("roles", "outcome"),
    [
        ((), Outcome.FAIL),
        ((Role.POSTGRESQL,), Outcome.FAIL),
        ((Role.HISTORY,), Outcome.WARN),
        ((Role.POSTGRESQL, Role.HISTORY), Outcome.FAIL),
    ],
)
def test_a_slow_disk_fails_only_where_the_data_is(roles: tuple[Role, ...], outcome: Outcome) -> None:
    facts = having(healthy(), "fsync", Reading(fsync(p50_us=20_000, p99_us=90_000)))
    [finding] = LATENCY.evaluate(facts, expected(*roles))
    assert finding.outcome is outcome
    assert ("flushed on db-1" in finding.note) is (outcome is Outcome.WARN)


@pytest.mark.parametrize(
    ("slow_bursts", "outcome"), [(5, Outcome.FAIL), (4, Outcome.FAIL), (3, Outcome.WARN), (1, Outcome.WARN)]
)
def test_p99_fails_only_when_most_bursts_agree(slow_bursts: int, outcome: Outcome) -> None:
    bursts = (60_000.0,) * slow_bursts + (2000.0,) * (5 - slow_bursts)
    facts = having(healthy(), "fsync", Reading(fsync(p99_us=50_000, bursts_p99_us=bursts)))
    [finding] = LATENCY.evaluate(facts, expected())
    assert finding.outcome is outcome


def test_samples_and_spread_stand_beside_the_figure() -> None:
    [finding] = LATENCY.evaluate(healthy(), expected())
    assert finding.found == "p50 0.13 ms  p99 2.4 ms"
    assert finding.wanted == "≤ 1 ms / ≤ 10 ms"
    assert finding.note == "n=21\N{NO-BREAK SPACE}870, p50 by burst 0.13 to 0.13"
    assert finding.evidence["max_us"] == 31_000


def test_it_says_where_it_measured_when_that_is_elsewhere() -> None:
    facts = having(healthy(), "fsync", Reading(replace(fsync(), directory="/srv")))
    [finding] = LATENCY.evaluate(facts, expected())
    assert "measured in /srv" in finding.note


@pytest.mark.parametrize(
    ("now_ms", "now", "outcome"),
    [
        (0.4, 20, Outcome.PASS),
        (1.2, 20, Outcome.WARN),
        (24.9, 500, Outcome.WARN),
        (26.0, 500, Outcome.FAIL),
    ],
)
@pytest.mark.parametrize(("count", "mean_ms"), [(5000, 0.4), (5000, 80.0), (20, 0.4)])
def test_a_database_at_work_is_judged_by_its_flushes_of_now_whatever_was_before(
    now_ms: float, now: int, outcome: Outcome, count: int, mean_ms: float
) -> None:
    told = postgres(count=max(count, now), mean_ms=mean_ms, now=now, now_ms=now_ms)
    finding = by_counters(told)
    assert finding.outcome is outcome
    assert finding.note.startswith(f"n={now} in 5 s; ")


@pytest.mark.parametrize(
    ("mean_ms", "count", "outcome"),
    [
        (0.4, 5000, Outcome.PASS),
        (1.2, 5000, Outcome.WARN),
        (26.0, 5000, Outcome.WARN),
        (0.4, 99, Outcome.UNKNOWN),
        (0.0, 0, Outcome.UNKNOWN),
    ],
)
def test_an_idle_database_is_judged_by_the_past_which_only_warns(
    mean_ms: float, count: int, outcome: Outcome
) -> None:
    finding = by_counters(postgres(count=count, mean_ms=mean_ms, now=19, now_ms=80.0))
    assert finding.outcome is outcome
    assert "--with-load measures" in finding.note


def test_counters_that_were_reset_during_the_check_are_too_few() -> None:
    assert by_counters(postgres(count=3, now=-4000, now_ms=0.0)).outcome is Outcome.UNKNOWN


def by_counters(told: Postgres) -> Finding:
    facts = having(having(healthy(), "fsync", RUNS), "postgres", Reading(told))
    [finding] = LATENCY.evaluate(facts, expected(Role.POSTGRESQL))
    return finding


def test_counters_that_cannot_be_read_are_unknown() -> None:
    finding = by_counters(replace(postgres(), wal_flush=Reading(None, "track_wal_io_timing is off")))
    assert (finding.outcome, finding.note) == (Outcome.UNKNOWN, "track_wal_io_timing is off")


@pytest.mark.parametrize(
    ("per_fdatasync", "write_cache", "outcome"),
    [
        (1.03, "write back", Outcome.PASS),
        (3.0, "write back", Outcome.PASS),
        (0.5, "write back", Outcome.WARN),
        (0.0, "write back", Outcome.FAIL),
        (0.0, "", Outcome.FAIL),
        (0.0, "write through", Outcome.PASS),
    ],
)
def test_flushes_are_missed_unless_the_disk_needs_none(
    per_fdatasync: float, write_cache: str, outcome: Outcome
) -> None:
    probe = replace(fsync(), flushes=Reading(Flushes(per_fdatasync, 2.0)))
    facts = having(healthy(), "fsync", Reading(probe))
    facts = having(
        facts, "disk.devices", Reading((Device("vda", "", rotational=False, write_cache=write_cache),))
    )
    [finding] = FLUSH.evaluate(facts, expected())
    assert finding.outcome is outcome


def test_bare_metal_may_be_faster_than_a_hypervisor() -> None:
    facts = having(healthy(), "fsync", Reading(fsync(p50_us=12)))
    [virtual] = FLUSH.evaluate(facts, expected())
    [metal] = FLUSH.evaluate(having(facts, "virt.vm", Reading("none")), expected())
    assert (virtual.outcome, metal.outcome) == (Outcome.WARN, Outcome.PASS)


def test_barriers_off_is_seen_without_any_measurement() -> None:
    facts = having(
        having(healthy(), "fsync", RUNS), "disk.mount", Reading(Mount("/", "ext4", "x", "nobarrier"))
    )
    assert FLUSH.evaluate(facts, expected(Role.POSTGRESQL))[0].outcome is Outcome.FAIL
    assert FLUSH.evaluate(facts, expected(Role.FRONTEND))[0].outcome is Outcome.WARN
