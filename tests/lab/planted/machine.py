"""Faults of what is rented: vCPUs, memory, swapping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.process import run
from tests.lab.planted.fault import VM_ROLE, Fault, Plant, Site, by_shell, nothing, setting

GIB = 1024
HOG = "import time\nheld = bytearray(b'x') * (70 << 20)\ntime.sleep(600)"
SWAPPING = by_shell(
    "fallocate -l 64M /swap && chmod 600 /swap && mkswap -q /swap && swapon /swap"
    f' && systemd-run -q --collect --unit=planted -p MemoryMax=40M python3 -c "{HOG}" && sleep 12',
    "systemctl stop planted; swapoff /swap && rm /swap",
)


def resized(words: str, back: str) -> Plant:
    """The machine below gives the host less than it gave."""

    @contextmanager
    def plant(site: Site) -> Iterator[None]:
        host = site.rack_host
        run(["docker", "update", *words.split(), host.container])
        try:
            yield
        finally:
            filled = back.format(memory=host.memory_mb)
            run(["docker", "update", *filled.split(), host.container])

    return plant


FAULTS = (
    Fault(
        "less memory than declared",
        "history",
        "mem.total",
        "fail",
        "the host's memory is cut from 4 to 3 GiB",
        resized("--memory 3g --memory-swap 3g", "--memory-swap {memory}m --memory {memory}m"),
    ),
    Fault(
        "fewer vCPUs than declared",
        "history",
        "cpu.count",
        "fail",
        "the inventory declares four",
        nothing,
        inventory=((r"vcpu: 2", "vcpu: 4"),),
    ),
    Fault(
        "vCPU that is gone",
        VM_ROLE,
        "cpu.count",
        "fail",
        "one of two is taken offline",
        setting("/sys/devices/system/cpu/cpu1/online", "0"),
        may={"clock.skew": "answers of one emulated CPU come so late that the offset is in doubt"},
    ),
    Fault(
        "programs swapped out",
        VM_ROLE,
        "mem.swap",
        "warn",
        "64 MiB of swap, and a program that is given less memory than it holds",
        SWAPPING,
    ),
)
