"""Durable writes: how long they take, and whether they reach the disk at all."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_least,
    at_most,
    count,
    follow,
    judged,
    noting,
    number,
    together,
    unread,
)
from tempo_infra.on_host.probes.disk import IN_MEMORY

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.disk import Mount
    from tempo_infra.on_host.probes.fsync import Flushes, Fsync
    from tempo_infra.on_host.probes.postgres import WalFlush

MOST_BURSTS = 0.8  # p99 is known to a factor of 1.7 only, so it fails when four bursts of five agree
COUNTED = 100  # flushes a database must have counted before their mean says anything
AT_WORK = 20  # of them during the check; with fewer, one stall would be the verdict
FEW = 1000  # samples below which p99 is a guess
FLUSHES, FLUSHES_FAIL = 0.9, 0.1  # per fdatasync; a journal may commit two in one flush
NO_BARRIER = ("nobarrier", "barrier=0")
_ETCD = "https://etcd.io/docs/v3.5/faq/#what-does-the-etcd-warning-failed-to-send-out-heartbeat-on-time-mean"


def lowered_without_data(finding: Finding, expected: Expected) -> Finding:
    """Warn at most, and say which disk counts: Temporal writes nothing durable to this one."""
    if finding.outcome not in (Outcome.WARN, Outcome.FAIL) or expected.keeps_the_data:
        return finding
    database = expected.writer or "the database host"
    remedy = f"Temporal doesn't wait for this disk; the one that counts is {database}'s"
    lowered = replace(finding, outcome=Outcome.WARN, remedy=remedy)
    return noting(lowered, f"its durable writes are flushed on {database}")


@check(
    "disk.fsync",
    "a durable write is fast",
    severity=Severity.CRITICAL,
    wants="fdatasync of 8 kB in the data directory: p50 and p99 within fsync_p50_ms and fsync_p99_ms of "
    "the class; fails on the database host only. A database at work: the mean of its WAL flushes; with fewer "
    f"than {AT_WORK} during the check, that since its counters' reset, which only warns",
    remedy="ask the provider for local NVMe or a faster volume, or move the data directory to one",
    source=_ETCD,
)
def latency(facts: Facts, expected: Expected) -> Finding:
    if facts.fsync.value is None and facts.postgres.value is not None:
        return _from_counters(facts, expected)
    found = judged(facts.fsync, lambda probe: _measured(probe, facts, expected), _wanted(expected))
    return lowered_without_data(found, expected)


def _wanted(expected: Expected) -> str:
    limits = (expected.limit("fsync_p50_ms"), expected.limit("fsync_p99_ms"))
    return " / ".join(f"≤ {number(limit, 'ms')}" for limit in limits)


def _measured(probe: Fsync, facts: Facts, expected: Expected) -> Finding:
    p50 = at_most(
        probe.p50_us / 1000,
        expected.limit("fsync_p50_ms"),
        fail=expected.limit("fsync_p50_fail_ms"),
        unit="ms",
        label="p50",
    )
    fail_ms = expected.limit("fsync_p99_fail_ms")
    over = sum(burst.p99_us / 1000 > fail_ms for burst in probe.bursts)
    agreed = over >= MOST_BURSTS * len(probe.bursts)
    p99 = at_most(
        probe.p99_us / 1000,
        expected.limit("fsync_p99_ms"),
        fail=fail_ms if agreed else None,
        unit="ms",
        label="p99",
    )
    p50s_ms = [burst.p50_us / 1000 for burst in probe.bursts]
    note = f"n={count(probe.n)}, p50 by burst {number(min(p50s_ms))} to {number(max(p50s_ms))}"
    if probe.n < FEW:
        note += "; few samples, p99 is a guess"
    wanted = PurePosixPath(facts.options.data_directory)
    if probe.directory not in (str(wanted), str(wanted.parent)):
        note += f"; measured in {probe.directory}"
    return noting(together(p50, p99), note, **asdict(probe))


def _from_counters(facts: Facts, expected: Expected) -> Finding:
    """Judge a mean, all that the counters give: few stalls raise it, so it fails late, at p99's limit."""

    def judge(flushed: WalFlush) -> Finding:
        fail: float | None = None  # the past, with each bad hour in it, only warns
        if flushed.window_count >= AT_WORK:
            over = f"n={count(flushed.window_count)} in {number(flushed.window_s, 's')}"
            mean_ms, fail = flushed.window_mean_ms, expected.limit("fsync_p99_fail_ms")
        elif flushed.count >= COUNTED:
            over = f"n={count(flushed.count)} since the counters' reset, too few now; --with-load measures"
            mean_ms = flushed.mean_ms
        else:
            return Finding(
                outcome=Outcome.UNKNOWN,
                found=f"{flushed.count} WAL flushes so far",
                wanted=_wanted(expected),
                note="too few to judge; --with-load measures",
                evidence=asdict(flushed),
            )
        mean = at_most(mean_ms, expected.limit("fsync_p50_ms"), fail=fail, unit="ms", label="mean")
        return noting(mean, f"{over}; PostgreSQL's own WAL flushes, stalls included", **asdict(flushed))

    reading = follow(facts.postgres, lambda part: part.wal_flush)
    return judged(reading, judge, _wanted(expected))


@check(
    "disk.flush",
    "a durable write reaches the disk",
    severity=Severity.CRITICAL,
    wants="one flush per fdatasync, or a disk that says `write through`; no tmpfs, no `nobarrier`; "
    "not faster than a flush through a hypervisor can be",
    remedy="mount the data directory with barriers on a real disk; ask the provider whether its cache "
    "survives a power cut",
    source="https://www.postgresql.org/docs/current/wal-reliability.html",
)
def flush(facts: Facts, expected: Expected) -> Finding:
    mount = follow(facts.disk, lambda part: part.mount)
    if mount.value is not None and (lost := _lost_by_mount(mount.value)):
        return lowered_without_data(lost, expected)
    if facts.fsync.value is None:
        return unread(facts.fsync, "≥ 1 per fdatasync")
    probe = facts.fsync.value
    found = judged(probe.flushes, lambda told: _flushes(told, facts), "≥ 1 per fdatasync")
    if found.outcome is Outcome.PASS and _too_fast(probe, facts, expected):
        limit = number(expected.limit("fsync_suspicious_us"), "µs")
        note = f"p50 {number(probe.p50_us, 'µs')} is faster than a flush through a hypervisor (≥ {limit})"
        found = noting(replace(found, outcome=Outcome.WARN), note + ": perhaps acknowledged from memory")
    return lowered_without_data(found, expected)


def _lost_by_mount(mount: Mount) -> Finding | None:
    off = [option for option in mount.options.split(",") if option in NO_BARRIER]
    if mount.filesystem in IN_MEMORY:
        found = f"{mount.filesystem} is memory"
    elif off:
        found = f"{mount.point} is mounted with {off[0]}"
    else:
        return None
    return Finding(outcome=Outcome.FAIL, found=found, wanted="a disk, with barriers", evidence=asdict(mount))


def _flushes(told: Flushes, facts: Facts) -> Finding:
    devices = follow(facts.disk, lambda part: part.devices).value or ()
    caches = sorted({device.write_cache for device in devices})
    compared = at_least(told.per_fdatasync, FLUSHES, fail=FLUSHES_FAIL)
    finding = Finding(
        outcome=compared.outcome,
        found=f"{number(told.per_fdatasync)} flush per fdatasync",
        wanted="≥ 1",
        evidence={**asdict(told), "write_cache": caches},
    )
    if finding.outcome is not Outcome.PASS and caches == ["write through"]:
        return noting(replace(finding, outcome=Outcome.PASS), "the disk says that it has no volatile cache")
    return finding


def _too_fast(probe: Fsync, facts: Facts, expected: Expected) -> bool:
    """On bare metal a disk with a protected cache may be that fast; behind a hypervisor none is known."""
    vm = follow(facts.virt, lambda part: part.vm)
    return vm.value not in (None, "none") and probe.p50_us < expected.limit("fsync_suspicious_us")
