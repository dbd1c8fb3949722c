"""How much memory this host has, with the cgroup's limit where it runs in one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file

_LINE = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_NO_LIMIT = 2**60  # cgroup v1 writes a huge number instead of "max"


@dataclass(frozen=True, slots=True)
class HugePages:
    """Pages set aside at boot or by sysctl; nobody else can use those that lie idle."""

    total: int
    free: int
    page_bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    total_bytes: Reading[int]  # the smaller of the machine's and the cgroup's
    available_bytes: Reading[int]
    swap_bytes: Reading[int]
    swap_free_bytes: Reading[int]
    hugepages: Reading[HugePages]
    limit_bytes: Reading[int]


def parse(text: str, key: str) -> int:
    """Return one line of /proc/meminfo in bytes."""
    found = dict(_LINE.findall(text))
    if key not in found:
        raise Unread(f"/proc/meminfo has no line {key}")
    return int(found[key]) * 1024


def parse_hugepages(text: str) -> HugePages:
    """Parse /proc/meminfo; these lines count pages, so they have no unit."""
    found = dict(re.findall(r"^(HugePages_\w+):\s+(\d+)$", text, re.MULTILINE))
    if "HugePages_Total" not in found:
        raise Unread("this kernel has no huge pages", not_wanted=True)
    return HugePages(int(found["HugePages_Total"]), int(found["HugePages_Free"]), parse(text, "Hugepagesize"))


def parse_limit(text: str) -> int:
    """Parse memory.max (cgroup v2) or memory.limit_in_bytes (v1)."""
    if text.strip() == "max" or int(text) >= _NO_LIMIT:
        raise Unread("no cgroup limit", not_wanted=True)
    return int(text)


def _limit() -> int:
    for path in _LIMITS:
        if Path(path).exists():
            return parse_limit(read_file(path))
    raise Unread("no cgroup limit", not_wanted=True)


def read() -> Memory:
    limit = attempt(_limit)

    def total() -> int:
        machine = parse(read_file("/proc/meminfo"), "MemTotal")
        return machine if limit.value is None else min(machine, limit.value)

    return Memory(
        total_bytes=attempt(total),
        available_bytes=attempt(lambda: parse(read_file("/proc/meminfo"), "MemAvailable")),
        swap_bytes=attempt(lambda: parse(read_file("/proc/meminfo"), "SwapTotal")),
        swap_free_bytes=attempt(lambda: parse(read_file("/proc/meminfo"), "SwapFree")),
        hugepages=attempt(lambda: parse_hugepages(read_file("/proc/meminfo"))),
        limit_bytes=limit,
    )
