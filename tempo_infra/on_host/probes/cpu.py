"""vCPUs and what the hypervisor takes of them.

Steal shows only while the vCPUs want to run, so an idle window proves nothing: every vCPU is given work
for three seconds, and steal is read over that window.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import statistics
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file

LOAD_S = 3.0
PARTS = 6  # of the window, to show how steady it was
NICE = 19  # whatever else runs here comes first
METHOD = "/proc/stat while every vCPU hashes, at the lowest priority"
_BLOCK = b"\0" * 65536  # hashlib releases the interpreter's lock above 2047 bytes, so threads are enough


@dataclass(frozen=True, slots=True)
class Ticks:
    """The first line of /proc/stat; guest time is inside user time already."""

    busy: int
    steal: int
    total: int


@dataclass(frozen=True, slots=True)
class Steal:
    percent: float
    busy_percent: float  # how busy the vCPUs were in the window, steal included
    window_s: float
    parts: tuple[float, ...] = ()  # percent in equal parts of the window
    method: str = METHOD


@dataclass(frozen=True, slots=True)
class Speed:
    """Orders of magnitude for comparing hosts with each other; nothing is judged by them."""

    sha256_mb_s: float  # one vCPU, with the processor's own instructions where it has them
    loop_mops: float  # one vCPU, plain instructions
    copy_gb_s: float  # memory, one thread
    spread_percent: float = 0.0  # by how much the median falls short of the best, at most
    method: str = "best of what 0.15 s allow, one thread"


@dataclass(frozen=True, slots=True)
class Cpu:
    count: Reading[int]  # what this host may use: online, affinity, cgroup
    quota: Reading[float]  # the cgroup's CPUs; nothing to read without a limit
    model: Reading[str]
    steal_loaded: Reading[Steal]
    steal_since_boot_percent: Reading[float]
    load_1min: Reading[float]
    speed: Reading[Speed]


def parse_ticks(text: str) -> Ticks:
    """Parse /proc/stat: user nice system idle iowait irq softirq steal."""
    first = text.splitlines()[0].split() if text else []
    if len(first) < 9 or first[0] != "cpu":  # noqa: PLR2004 - eight columns after the name
        raise Unread("/proc/stat has no line `cpu` with a column for steal")
    user, nice, system, idle, iowait, irq, softirq, steal = (int(word) for word in first[1:9])
    busy = user + nice + system + irq + softirq + steal
    return Ticks(busy, steal, busy + idle + iowait)


def between(before: Ticks, after: Ticks, window_s: float) -> Steal:
    total = after.total - before.total
    if total <= 0:
        raise Unread("the host's CPU counters didn't move in the window")
    steal, busy = after.steal - before.steal, after.busy - before.busy
    return Steal(round(100 * steal / total, 2), round(100 * busy / total, 1), round(window_s, 2))


def parse_quota(text: str) -> float:
    """Parse cgroup v2's cpu.max: "200000 100000" is two CPUs, "max 100000" no limit."""
    quota, _, period = text.partition(" ")
    if quota.strip() == "max":
        raise Unread("no cgroup limit", not_wanted=True)
    return int(quota) / int(period)


def _quota() -> float:
    if Path("/sys/fs/cgroup/cpu.max").exists():
        return parse_quota(read_file("/sys/fs/cgroup/cpu.max"))
    try:
        quota = int(read_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
    except FileNotFoundError:
        quota = -1
    if quota <= 0:
        raise Unread("no cgroup limit", not_wanted=True)
    return quota / int(read_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))


def usable(online: int, quota: "float | None") -> int:
    """How many CPUs a process may use at once; a part of one counts as one."""
    return online if quota is None else max(1, min(online, int(quota + 0.999)))


def _model() -> str:
    for line in read_file("/proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    raise Unread("/proc/cpuinfo names no model")


def _work(until: float) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    while time.monotonic() < until:
        hashlib.sha256(_BLOCK).digest()


def steal_under_load(count: int, load_s: float = LOAD_S) -> Steal:
    """Keep every CPU busy for `load_s` seconds and read steal over that window."""
    start = time.monotonic()
    threads = [threading.Thread(target=_work, args=(start + load_s,), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)  # until all of them run
    marks = [(parse_ticks(read_file("/proc/stat")), time.monotonic())]
    for _ in range(PARTS):
        time.sleep(max(0.0, load_s - 0.2) / PARTS)
        marks.append((parse_ticks(read_file("/proc/stat")), time.monotonic()))
    for thread in threads:
        thread.join()
    whole = between(marks[0][0], marks[-1][0], marks[-1][1] - marks[0][1])
    parts = tuple(_part(before, after) for (before, _), (after, _) in zip(marks, marks[1:]))  # noqa: B905, RUF007 - one less; no pairwise in 3.9
    return replace(whole, parts=parts)


def _part(before: Ticks, after: Ticks) -> float:
    total = after.total - before.total
    return round(100 * (after.steal - before.steal) / total, 2) if total > 0 else 0.0


def _rate(work: "Callable[[], float]", seconds: float) -> "tuple[float, float]":
    """Return how much work a second is done at best, for other load only slows it, and the median."""
    rates, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        done = work()
        rates.append(done / (time.perf_counter() - begun))
    return max(rates), statistics.median(rates)


def _loop() -> float:
    number = 0
    for one in range(50_000):
        number = (number + one) & 0xFFFF
    return 50_000


def _hash() -> float:
    for _ in range(8):
        hashlib.sha256(_BLOCK).digest()
    return 8 * len(_BLOCK)


def speed(seconds: float = 0.15) -> Speed:
    """Measure for three times `seconds`."""
    source = bytearray(4 * 1024 * 1024)  # with its copy, small enough for the collector to stay small

    def copy() -> float:
        return float(len(bytes(source)))

    measured = [_rate(work, seconds) for work in (_hash, _loop, copy)]
    hashed, looped, copied = (best for best, _ in measured)
    spread = max(100 * (1 - median / best) for best, median in measured)
    return Speed(
        round(hashed / 1e6), round(looped / 1e6, 1), round(copied / 1e9, 2), spread_percent=round(spread, 1)
    )


def _since_boot() -> float:
    ticks = parse_ticks(read_file("/proc/stat"))
    return round(100 * ticks.steal / max(1, ticks.total), 2)


def read(why_no_load: str = "", *, load_s: float = LOAD_S) -> Cpu:
    """Read everything; with a reason not to load the CPUs, steal under load stays unread with it."""

    def loaded() -> Steal:
        if why_no_load:
            raise Unread(why_no_load, not_wanted=True)
        return steal_under_load(len(os.sched_getaffinity(0)), load_s)

    def fast() -> Speed:
        if why_no_load:
            raise Unread(why_no_load, not_wanted=True)
        return speed()

    quota = attempt(_quota)
    return Cpu(
        count=attempt(lambda: usable(len(os.sched_getaffinity(0)), quota.value)),
        quota=quota,
        model=attempt(_model),
        steal_loaded=attempt(loaded),
        steal_since_boot_percent=attempt(_since_boot),
        load_1min=attempt(lambda: os.getloadavg()[0]),
        speed=attempt(fast),
    )
