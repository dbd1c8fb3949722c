"""Faults that the kernel complains about, each made for real; only the VM has a kernel of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.planted.fault import VM_ROLE, Fault, Plant, Site

FORGET = "journalctl -q --rotate; sleep 2; journalctl -q --vacuum-time=1s; dmesg -C"
HOG = (
    "systemd-run -q --collect --wait -p MemoryMax=30M -p MemorySwapMax=0"
    " python3 -c 'x = bytearray(200 << 20)'"
)
MEDIUM = (
    "modprobe sd_mod && modprobe scsi_debug opts=2 dev_size_mb=8 || exit 1"
    "; disks='/sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block'"
    '; for n in $(seq 60); do disk=$(ls $disks 2>/dev/null); test -b "/dev/$disk" && break; sleep 0.5; done'
    "; dd if=/dev/$disk of=/dev/null bs=4k; udevadm settle; modprobe -r scsi_debug"
)
HUNG = (
    "cd /proc/sys/kernel; cat hung_task_timeout_secs > /root/kept; echo 3 > hung_task_timeout_secs"
    "; fsfreeze -f /srv/tempo; touch /srv/tempo/planted & sleep 12; fsfreeze -u /srv/tempo"
    "; wait; rm /srv/tempo/planted; cat /root/kept > hung_task_timeout_secs"
)


def complained(work: str) -> Plant:
    """What happened is over when the check comes; only the log tells of it."""

    @contextmanager
    def plant(site: Site) -> Iterator[None]:
        site.shell(f"{work}; true")
        try:
            yield
        finally:
            site.shell(FORGET)

    return plant


FAULTS = (
    Fault(
        "out of memory",
        VM_ROLE,
        "kernel.log",
        "warn",
        "a program that needs 200 MiB of its 30 is killed",
        complained(HOG),
    ),
    Fault(
        "hung task",
        VM_ROLE,
        "kernel.log",
        "warn",
        "a frozen file system holds a program up",
        complained(HUNG),
    ),
    Fault(
        "disk error",
        VM_ROLE,
        "kernel.log",
        "fail",
        "the kernel's test disk has a bad sector, which is read",
        complained(MEDIUM),
    ),
    Fault(
        "file-system error",
        VM_ROLE,
        "kernel.log",
        "fail",
        "ext4 is told to report an error of its own",
        complained("echo 1 > /sys/fs/ext4/vdb/trigger_fs_error"),
    ),
)
