"""Every check passes a healthy host, finds its fault, and never passes what couldn't be read."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from tempo_infra.checks import CHECKS, Outcome, find
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.accounts import Accounts, Shared
from tempo_infra.on_host.engine_here import Unfit
from tempo_infra.on_host.facts import Facts
from tempo_infra.on_host.probes.clock import Discipline, Source
from tempo_infra.on_host.probes.cpu import Steal
from tempo_infra.on_host.probes.disk import Mount, Space
from tempo_infra.on_host.probes.docker import Kind
from tempo_infra.on_host.probes.kernel import OpenFiles
from tempo_infra.on_host.probes.nofile import UNLIMITED, Limits
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks import test_backup, test_deeper
from tests.unit.checks.hosts import (
    ABSENT,
    FAILED,
    GB,
    GIB,
    container,
    expected,
    fsync,
    having,
    healthy,
    service,
)

PASS, WARN, FAIL, UNKNOWN, SKIP = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN, Outcome.SKIP


def read(value: Any) -> Reading[Any]:
    return Reading(value)


ONLY_TELLS = {"cpu.speed", "containerd.version"}
ELSEWHERE = {"clock.skew"}  # compares several hosts: test_clocks_of_hosts_are_compared_beyond_doubt

ROWS: list[tuple[str, str, Reading[Any], Outcome]] = [
    ("nofile.login", "nofile.login", read(Limits(1024, 65_535)), PASS),
    ("nofile.login", "nofile.login", read(Limits(1024, UNLIMITED)), PASS),
    ("nofile.login", "nofile.login", read(Limits(1024, 65_534)), WARN),
    ("nofile.login", "nofile.login", read(Limits(0, 0)), WARN),
    ("nofile.login", "nofile.login", FAILED, UNKNOWN),
    ("nofile.runtime", "nofile.containerd", service(1024, 65_535), PASS),
    ("nofile.runtime", "nofile.containerd", service(1024, 4096), WARN),
    ("nofile.runtime", "nofile.containerd", service(1024, 4095), FAIL),
    ("nofile.runtime", "nofile.containerd", FAILED, UNKNOWN),
    ("nofile.runtime", "nofile.containerd", ABSENT, SKIP),
    ("nofile.container", "docker.containers", read((container("history", soft=65_534),)), PASS),
    ("nofile.container", "docker.containers", read((container("history", soft=65_533, hard=65_534),)), WARN),
    ("nofile.container", "docker.containers", read((container("history", soft=1024, hard=4095),)), FAIL),
    ("nofile.container", "docker.containers", read((container("history", in_use=33_000),)), WARN),
    ("nofile.container", "docker.containers", read((container("history", in_use=53_000),)), FAIL),
    ("nofile.container", "docker.containers", read((container("postgresql", soft=1024, hard=4096),)), PASS),
    ("nofile.container", "docker.containers", read((container("postgresql", soft=1023),)), FAIL),
    ("nofile.container", "docker.containers", FAILED, UNKNOWN),
    ("nofile.container", "docker.containers", read(()), SKIP),
    ("users.ids", "users", read(Accounts()), PASS),
    ("users.ids", "users", read(Accounts([Shared(1000, "user id 1000 is alice")])), WARN),
    ("users.ids", "users", read(Accounts([], "`getent` gave no answer in 5 s")), UNKNOWN),
    ("users.ids", "users", FAILED, UNKNOWN),
    ("fs.filenr", "kernel.open_files", read(OpenFiles(500, 1000, 65_535)), PASS),
    ("fs.filenr", "kernel.open_files", read(OpenFiles(501, 1000, 65_535)), WARN),
    ("fs.filenr", "kernel.open_files", read(OpenFiles(801, 1000, 65_535)), FAIL),
    ("fs.filenr", "kernel.open_files", read(OpenFiles(0, 1000, 65_534)), FAIL),
    ("fs.filenr", "kernel.open_files", FAILED, UNKNOWN),
    ("disk.fsync", "fsync", read(fsync(p50_us=1000, p99_us=10_000)), PASS),
    ("disk.fsync", "fsync", read(fsync(p50_us=1010)), WARN),
    ("disk.fsync", "fsync", read(fsync(p50_us=5010)), FAIL),
    ("disk.fsync", "fsync", read(fsync(p99_us=10_100)), WARN),
    ("disk.fsync", "fsync", read(fsync(p99_us=26_000)), FAIL),
    ("disk.fsync", "fsync", FAILED, UNKNOWN),
    ("disk.fsync", "fsync", ABSENT, SKIP),
    ("disk.flush", "disk.mount", read(Mount("/", "ext4", "/dev/vda", "rw,nobarrier")), FAIL),
    ("disk.flush", "disk.mount", read(Mount("/", "ext4", "/dev/vda", "rw,barrier=0")), FAIL),
    ("disk.flush", "disk.mount", read(Mount("/srv", "tmpfs", "tmpfs", "rw")), FAIL),
    ("disk.flush", "fsync", read(fsync(p50_us=19)), WARN),
    ("disk.flush", "fsync", read(fsync(p50_us=20)), PASS),
    ("disk.flush", "fsync", FAILED, UNKNOWN),
    ("disk.flush", "fsync", ABSENT, SKIP),
    ("disk.kind", "disk.mount", read(Mount("/", "xfs", "/dev/nvme0n1", "rw")), PASS),
    ("disk.kind", "disk.mount", read(Mount("/", "btrfs", "/dev/vda", "rw")), WARN),
    ("disk.kind", "disk.mount", read(Mount("/", "overlay", "overlay", "rw")), FAIL),
    ("disk.kind", "disk.mount", read(Mount("/", "nfs4", "10.0.0.9:/x", "rw")), FAIL),
    ("disk.kind", "disk.mount", FAILED, UNKNOWN),
    ("disk.space", "disk.space", read(Space(100 * GB, 20 * GB, 0, 0)), PASS),
    ("disk.space", "disk.space", read(Space(100 * GB, 19 * GB, 0, 0)), WARN),
    ("disk.space", "disk.space", read(Space(30 * GB, 9 * GB, 0, 0)), FAIL),
    ("disk.space", "disk.space", read(Space(100 * GB, 50 * GB, 1000, 40)), FAIL),
    ("disk.space", "disk.space", read(Space(100 * GB, 50 * GB, 1000, 100)), WARN),
    ("disk.space", "disk.space", FAILED, UNKNOWN),
    ("disk.size", "disk.space", read(Space(75 * GB, 50 * GB, 0, 0)), PASS),
    ("disk.size", "disk.space", read(Space(40 * GB, 30 * GB, 0, 0)), WARN),
    ("disk.size", "disk.space", FAILED, UNKNOWN),
    ("cpu.steal", "cpu.steal_loaded", read(Steal(2.0, 99, 2.8)), PASS),
    ("cpu.steal", "cpu.steal_loaded", read(Steal(2.1, 99, 2.8)), WARN),
    ("cpu.steal", "cpu.steal_loaded", read(Steal(40.0, 99, 2.8)), WARN),
    ("cpu.steal", "cpu.steal_loaded", read(Steal(0.0, 30, 2.8)), UNKNOWN),
    ("cpu.steal", "cpu.steal_loaded", FAILED, UNKNOWN),
    ("cpu.steal", "cpu.steal_loaded", ABSENT, SKIP),
    ("cpu.count", "cpu.count", read(4), PASS),
    ("cpu.count", "cpu.count", read(3), FAIL),
    ("cpu.count", "cpu.count", FAILED, UNKNOWN),
    ("mem.total", "memory.total_bytes", read(int(7.5 * GIB)), PASS),
    ("mem.total", "memory.total_bytes", read(int(7.1 * GIB)), FAIL),
    ("mem.total", "memory.total_bytes", FAILED, UNKNOWN),
    ("virt.kind", "virt.vm", read("none"), PASS),
    ("virt.kind", "virt.vm", read("vmware"), WARN),
    ("virt.kind", "virt.container", read("lxc"), FAIL),
    ("virt.kind", "virt.vm", FAILED, UNKNOWN),
    ("clock.sync", "clock.discipline", read(Discipline(synchronised=True, max_error_ms=500)), PASS),
    ("clock.sync", "clock.discipline", read(Discipline(synchronised=True, max_error_ms=501)), WARN),
    ("clock.sync", "clock.discipline", read(Discipline(synchronised=True, max_error_ms=5001)), FAIL),
    ("clock.sync", "clock.discipline", read(Discipline(synchronised=False, max_error_ms=16_000)), FAIL),
    ("clock.sync", "clock.discipline", FAILED, UNKNOWN),
    ("clock.source", "clock.source", read(Source("tsc", "tsc")), PASS),
    ("clock.source", "clock.source", read(Source("hpet", "hpet")), WARN),
    ("clock.source", "clock.source", FAILED, UNKNOWN),
    ("docker.engine", "docker.engine", read("28.0.0"), PASS),
    ("docker.engine", "docker.engine", FAILED, FAIL),
    ("docker.engine", "docker", FAILED, UNKNOWN),
    ("docker.kind", "docker.kind", read(Kind()), PASS),
    ("docker.kind", "docker.kind", read(Kind(unfit=(Unfit("Podman answers", "remove it"),))), FAIL),
    ("docker.kind", "docker.kind", read(Kind(filters=False)), FAIL),
    ("docker.kind", "docker.kind", read(Kind(answers=False, unfit=(Unfit("stopped", "start it"),))), SKIP),
    ("docker.kind", "docker.kind", FAILED, UNKNOWN),
    ("docker.version", "docker.engine", read("28.0.0"), PASS),
    ("docker.version", "docker.engine", read("26.1.5"), WARN),
    ("docker.version", "docker.engine", read("20.10.24"), FAIL),
    ("docker.version", "docker.engine", FAILED, UNKNOWN),
    ("compose.version", "docker.compose", read("2.20"), PASS),
    ("compose.version", "docker.compose", read("2.19.9"), FAIL),
    ("compose.version", "docker.compose", ABSENT, FAIL),
    ("compose.version", "docker.compose", FAILED, UNKNOWN),
    ("kernel.thp", "kernel.thp", read("never"), PASS),
    ("kernel.thp", "kernel.thp", read("always"), WARN),
    ("kernel.thp", "kernel.thp", FAILED, UNKNOWN),
    ("kernel.swappiness", "kernel.swappiness", read(0), PASS),
    ("kernel.swappiness", "kernel.swappiness", read(60), WARN),
    ("kernel.swappiness", "kernel.swappiness", FAILED, UNKNOWN),
    ("kernel.overcommit", "kernel.overcommit", read(2), PASS),
    ("kernel.overcommit", "kernel.overcommit", read(1), WARN),
    ("kernel.overcommit", "kernel.overcommit", FAILED, UNKNOWN),
    ("kernel.somaxconn", "kernel.somaxconn", read(4096), PASS),
    ("kernel.somaxconn", "kernel.somaxconn", read(4095), WARN),
    ("kernel.somaxconn", "kernel.somaxconn", read(128), FAIL),
    ("kernel.somaxconn", "kernel.somaxconn", FAILED, UNKNOWN),
]


@pytest.mark.parametrize(("identifier", "path", "reading", "outcome"), ROWS)
def test_a_check_and_one_changed_reading(
    identifier: str, path: str, reading: Reading[Any], outcome: Outcome
) -> None:
    [check] = find(identifier)
    [finding] = check.evaluate(having(healthy(), path, reading), expected())
    assert finding.outcome is outcome, finding
    assert finding.found
    assert bool(finding.remedy) is (outcome in (WARN, FAIL))
    if outcome in (UNKNOWN, SKIP) and reading.value is None:
        assert reading.unread in finding.note


def test_a_healthy_host_passes_everything_in_each_role() -> None:
    for role in Role:
        for check in CHECKS:
            for finding in check.evaluate(healthy(), expected(role)):
                assert finding.outcome in (PASS, SKIP), finding


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_each_check_has_three_rows(check: Any) -> None:
    """It passes (or the healthy host does), finds its fault, and can't pass what wasn't read."""
    if check.id in ELSEWHERE:
        return
    outcomes = {row[3] for row in (*ROWS, *test_deeper.ROWS, *test_backup.ROWS) if row[0] == check.id}
    assert outcomes & {WARN, FAIL} or check.id in ONLY_TELLS
    assert UNKNOWN in outcomes


def test_nothing_passes_when_nothing_could_be_read() -> None:
    facts = healthy()
    for part in [one.name for one in fields(Facts) if one.name not in ("seconds_by_part", "peak_bytes")][5:]:
        facts = having(facts, part, FAILED)
    for check in CHECKS:
        for finding in check.evaluate(facts, replace(expected(), clocks={})):
            assert finding.outcome is UNKNOWN, finding
