"""The data directory's file system: its kind, its free space, its size."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import (
    Finding,
    Severity,
    at_least,
    follow,
    judged,
    noting,
    one_of,
    skipped,
    together,
)
from tempo_infra.checks.fsync import lowered_without_data

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.disk import Mount, Space

GOOD = ("ext4", "xfs")
TOLERATED = ("btrfs", "zfs", "ext3", "f2fs")  # work, but copy-on-write or age make them slower for a WAL
GB = 1000**3
INODES_PERCENT, INODES_FAIL_PERCENT = 20, 5


@check(
    "disk.kind",
    "the data directory is on a local file system fit for a database",
    severity=Severity.CRITICAL,
    wants="ext4 or xfs; network, overlay and memory file systems fail on the database host",
    remedy="mount an ext4 or xfs volume at the data directory",
    source="https://www.postgresql.org/docs/current/creating-cluster.html#CREATING-CLUSTER-FILESYSTEM",
)
def kind(facts: Facts, expected: Expected) -> Finding:
    def judge(mount: Mount) -> Finding:
        found = one_of(mount.filesystem, GOOD, tolerated=TOLERATED)
        return noting(found, _devices(facts), **asdict(mount))

    found = judged(follow(facts.disk, lambda part: part.mount), judge, " or ".join(GOOD))
    return lowered_without_data(found, expected)


def _devices(facts: Facts) -> str:
    """Name the devices; a virtio disk hides what it is made of, so its name proves nothing."""
    devices = follow(facts.disk, lambda part: part.devices).value or ()
    names = ", ".join(f"{one.name} {one.model}".strip() for one in devices)
    hidden = any(one.name.startswith("vd") for one in devices)
    return f"{names}: virtio hides the medium, disk.fsync judges it" if hidden else names


@check(
    "disk.space",
    "the data directory has room",
    severity=Severity.MAJOR,
    wants="disk_free_gb and disk_free_percent of the class free; on hosts without the database half of that; "
    "a fifth of the inodes",
    remedy="free space or grow the volume: df -h, docker system df",
    source="https://docs.redpanda.com/current/reference/rpk/rpk-redpanda/rpk-redpanda-check/",
)
def space(facts: Facts, expected: Expected) -> Finding:
    def judge(told: Space) -> Finding:
        share = 1.0 if expected.keeps_the_data else 0.5
        free = at_least(
            told.free_bytes / GB,
            share * expected.limit("disk_free_gb"),
            fail=share * expected.limit("disk_free_fail_gb"),
            unit="GB",
        )
        percent = at_least(
            100 * told.free_bytes / max(1, told.size_bytes),
            share * expected.limit("disk_free_percent"),
            unit="%",
        )
        parts = [free, percent, *_inodes(told)]
        return noting(together(*parts), "", **asdict(told))

    return judged(follow(facts.disk, lambda part: part.space), judge)


def _inodes(told: Space) -> list[Finding]:
    """Judge inodes where their number is fixed; btrfs and others say 0."""
    if told.inodes == 0:
        return []
    percent = 100 * told.inodes_free / told.inodes
    found = at_least(percent, INODES_PERCENT, fail=INODES_FAIL_PERCENT, unit="%", label="inodes")
    return [] if percent >= INODES_PERCENT else [found]


@check(
    "disk.size",
    "the disk is as large as declared",
    severity=Severity.ADVICE,
    wants="the data directory's file system is not smaller than `resources.disk.size` by more than "
    "resources_short_percent",
    remedy="tempo-infra inventory measure -i {inventory} --host {host}, or ask the provider",
    source="the inventory's resources",
)
def size(facts: Facts, expected: Expected) -> Finding:
    resources = expected.resources
    if resources is None:
        return skipped("no inventory declares its disk")
    wanted = resources.disk.size_bytes * (1 - expected.limit("resources_short_percent") / 100)

    def judge(told: Space) -> Finding:
        return at_least(told.size_bytes, wanted, unit="bytes")

    return judged(follow(facts.disk, lambda part: part.space), judge)
