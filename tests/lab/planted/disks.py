"""Faults of the data directory's disk: its kind, its room, its speed, and whether flushes reach it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab import faults
from lab.vm import qemu
from tests.lab.planted.fault import VM_ROLE, Fault, Plant, Site, by_shell, nothing
from tests.lab.planted.services import container, pgbench, psql, remade

AT = "/srv/planted"
IMAGE = "/root/planted.img"  # sparse: its 40 GB are never written
THERE = ("--data-dir", AT)
SLOW_MS, COMMITS, BUSY_S = 40, 150, 60


def loop_volume(then: str = "true", *, mount: str = "", mkfs: str = "") -> Plant:
    """An ext4 volume of 40 GB in a sparse file, mounted at AT; `then` spoils it."""
    options = f"-o {mount}" if mount else ""
    device = f"$(losetup -j {IMAGE} | cut -d: -f1)"
    return by_shell(
        f"set -e; truncate -s 40G {IMAGE}; mkfs.ext4 -q -F -E nodiscard {mkfs} {IMAGE}; mkdir -p {AT}\n"
        "test -e /dev/loop-control || mknod /dev/loop-control c 10 237\n"
        "free=$(losetup -f | cut -d' ' -f1); test -e $free || mknod $free b 7 ${free#/dev/loop}\n"
        f"losetup $free {IMAGE}; mount {options} $free {AT}; {then}",
        f"umount {AT}; losetup -d {device}; rm -rf {IMAGE} {AT}",
    )


@contextmanager
def slow_flushes(site: Site) -> Iterator[None]:
    """Each fsync of PostgreSQL takes 40 ms more, and a session commits all the time."""
    with remade(site, "postgresql", "environment: {LAB_SLOW_FSYNC: '1'}"):
        psql(site, "create table planted (n int)")
        try:
            with faults.slow_fsync(site.rack_host, container("postgresql"), SLOW_MS):
                pgbench(site, "insert into planted values (1)", clients=1, seconds=BUSY_S)
                time.sleep(2)  # a session tells what it flushed once a second
                yield
        finally:
            _forget(site)


def _forget(site: Site) -> None:
    """End the session, and let the counters start again with commits as fast as ever."""
    commit = "insert into planted values (i); commit"
    psql(
        site,
        "select pg_terminate_backend(pid) from pg_stat_activity where query like 'insert into planted%'",
        "select pg_stat_reset_shared('wal')",
        f"do $$ begin for i in 1..{COMMITS} loop {commit}; end loop; end $$",
        "drop table planted",
    )


@contextmanager
def throttled(site: Site) -> Iterator[None]:
    """The hypervisor lets 100 operations a second pass, as cheap volumes do."""
    qemu.throttle(site.vm.place, "data", 100)
    try:
        yield
    finally:
        qemu.throttle(site.vm.place, "data", 0)


IN_MEMORY = by_shell(f"mkdir {AT} && mount -t tmpfs -o size=40g none {AT}", f"umount {AT} && rmdir {AT}")
LAYERS = f"{AT}-layers"
OVERLAY = by_shell(
    f"mkdir -p {AT} {LAYERS} && mount -t tmpfs -o size=40g none {LAYERS} && cd {LAYERS} && mkdir low up work"
    f" && mount -t overlay -o lowerdir=low,upperdir=up,workdir=work none {AT}",
    f"umount {AT} {LAYERS}; rmdir {AT} {LAYERS}",
)
FULL = f"fallocate -l 36G {AT}/fill"
NO_INODES = f"cd {AT} && seq $(($(stat -f -c %d .) - 50)) | xargs touch"

FAULTS = (
    Fault(
        "data directory in memory",
        "postgresql",
        "disk.kind",
        "fail",
        "a tmpfs of 40 GB is mounted there",
        IN_MEMORY,
        words=THERE,
        fast=True,
        also={"disk.flush": "what is flushed to memory is lost as well: two true sentences about one mount"},
    ),
    Fault(
        "data directory on an overlay",
        "postgresql",
        "disk.kind",
        "fail",
        "an overlay, as of a container's own layer, is mounted there",
        OVERLAY,
        words=THERE,
    ),
    Fault(
        "write barriers off",
        "postgresql",
        "disk.flush",
        "fail",
        "an ext4 volume mounted with `nobarrier`",
        loop_volume(mount="nobarrier"),
        words=THERE,
        fast=True,
    ),
    Fault(
        "full disk",
        "postgresql",
        "disk.space",
        "fail",
        "a file takes 36 of 40 GB of the volume",
        loop_volume(FULL),
        words=THERE,
        fast=True,
    ),
    Fault(
        "no inodes left",
        "postgresql",
        "disk.space",
        "fail",
        "all but 50 inodes of the volume are given to empty files",
        loop_volume(NO_INODES, mkfs="-N 5000"),
        words=THERE,
    ),
    Fault(
        "disk smaller than declared",
        "history",
        "disk.size",
        "warn",
        "the inventory declares 4 TiB",
        nothing,
        inventory=((r"size: 20GiB", "size: 4TiB"),),
    ),
    Fault(
        "slow fsync",
        "postgresql",
        "disk.fsync",
        "fail",
        f"each fsync of PostgreSQL is held up for {SLOW_MS} ms, while a session commits",
        slow_flushes,
        full=True,
    ),
    Fault(
        "write barriers off on the machine's disk",
        VM_ROLE,
        "disk.flush",
        "fail",
        "/srv/tempo is remounted with `nobarrier`",
        by_shell("mount -o remount,nobarrier /srv/tempo", "mount -o remount,barrier /srv/tempo"),
    ),
    Fault(
        "throttled disk",
        VM_ROLE,
        "disk.fsync",
        "fail",
        "the emulator lets 100 operations a second pass to the disk",
        throttled,
        full=True,
    ),
    Fault(
        "full disk of the machine",
        VM_ROLE,
        "disk.space",
        "fail",
        "a file takes 20 of 24 GB of /srv/tempo",
        by_shell("fallocate -l 20G /srv/tempo/fill", "rm /srv/tempo/fill"),
    ),
)
