"""Faults of kernel settings."""

from __future__ import annotations

from tests.lab.planted.fault import VM_ROLE, Fault, Site, by_shell, setting

THP = "/sys/kernel/mm/transparent_hugepage/enabled"
DIRTY = "/proc/sys/vm"
DIRTY_RATIO = by_shell(
    f"cat {DIRTY}/dirty_bytes > /root/kept && echo 0 > {DIRTY}/dirty_bytes && echo 80 > {DIRTY}/dirty_ratio",
    f"cat /root/kept > {DIRTY}/dirty_bytes && echo 0 > {DIRTY}/dirty_ratio && rm /root/kept",
)


def as_provisioned(site: Site) -> None:
    """Set what provisioning would set: a bare Debian swaps early and gives huge pages to all."""
    site.shell(f"sysctl -qw vm.swappiness=10 vm.dirty_bytes=268435456 && echo madvise > {THP}")


FAULTS = (
    Fault(
        "somaxconn 128",
        "history",
        "kernel.somaxconn",
        "fail",
        "sysctl net.core.somaxconn=128",
        setting("/proc/sys/net/core/somaxconn", "128"),
        fast=True,
    ),
    Fault(
        "swappiness 60",
        "postgresql",
        "kernel.swappiness",
        "warn",
        "sysctl vm.swappiness=60",
        setting("/proc/sys/vm/swappiness", "60"),
    ),
    Fault(
        "memory promised without limit",
        "postgresql",
        "kernel.overcommit",
        "warn",
        "sysctl vm.overcommit_memory=1",
        setting("/proc/sys/vm/overcommit_memory", "1"),
    ),
    Fault(
        "gigabytes of dirty memory",
        "postgresql",
        "kernel.dirty",
        "warn",
        "sysctl vm.dirty_bytes=0 vm.dirty_ratio=80",
        DIRTY_RATIO,
    ),
    Fault("huge pages for all", VM_ROLE, "kernel.thp", "warn", "THP set to `always`", setting(THP, "always")),
    Fault(
        "huge pages reserved and idle",
        VM_ROLE,
        "mem.hugepages",
        "warn",
        "sysctl vm.nr_hugepages=64",
        setting("/proc/sys/vm/nr_hugepages", "64"),
    ),
)
