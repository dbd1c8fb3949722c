"""How long a durable write takes: overwrite 8 kB of a written file, then fdatasync, as PostgreSQL's WAL does.

Written blocks are overwritten because PostgreSQL recycles WAL segments; an append or a fallocated file would
measure the file system's journal as well. Stalls come in bursts, so time spread over the run steadies p99
more than a number of samples does: five bursts of two seconds, with other probes between them.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import time
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, TypeVar

from tempo_infra.on_host.child import aside
from tempo_infra.on_host.data_folder import write_probe
from tempo_infra.on_host.probes import disk
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt

BLOCK_BYTES = 8192  # one WAL page
FILE_BYTES = 16 * 1024 * 1024  # one WAL segment
FREE_BYTES_WANTED = 1024**3  # below this the probe writes nothing
BURSTS = 5
ANSWER_S = 20.0  # of the first write
BURST_S = 2.0
MIN_SAMPLES = 1000
CAP_S = 30.0  # a slow disk gets longer bursts until it has MIN_SAMPLES, up to this sum
WARM_UP = 16  # the first operations of a burst are not counted
MAX_SAMPLES_PER_BURST = 100_000
EDGES_US = tuple(step * 10**decade for decade in range(8) for step in (1, 2, 5))  # to 50 s
METHOD = (
    "8 KiB over written blocks of 16 MiB, then fdatasync, which alone is timed; bursts spread over the run"
)


Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Burst:
    n: int
    p50_us: float
    p99_us: float
    max_us: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Bin:
    """How many took at most so long, and longer than the bin before."""

    up_to_us: float
    n: int


@dataclass(frozen=True, slots=True)
class Flushes:
    """What the disk was told while the probe ran; other writers of the host are counted too."""

    per_fdatasync: float
    writes_per_fdatasync: float


@dataclass(frozen=True, slots=True)
class Fsync:
    """Latency of fdatasync alone; `write_p50_us` is the write before it."""

    directory: str  # where the file lay
    n: int
    p50_us: float
    p99_us: float
    max_us: float
    write_p50_us: float
    bursts: tuple[Burst, ...]
    flushes: Reading[Flushes]
    distribution: tuple[Bin, ...] = ()
    method: str = METHOD


def percentile(ordered: "list[Number]", part: float) -> "Number":
    """Nearest rank of a sorted list that is not empty."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def distribution(ordered_ns: "list[int]") -> "tuple[Bin, ...]":
    """Count a sorted list in bins of a third of a decade, from the first that holds one to the last."""
    found: "list[Bin]" = []
    below = 0
    for edge_us in EDGES_US:
        until = bisect.bisect_right(ordered_ns, edge_us * 1000)
        if until > below or found:
            found.append(Bin(float(edge_us), until - below))
        below = until
        if until == len(ordered_ns):
            break
    return tuple(found)


def writable_directory(wanted: str) -> str:
    """Return the directory, or one on the same file system that this user may write to."""
    device = Path(wanted).stat().st_dev
    home = os.environ.get("HOME", "/root")
    for directory in (wanted, home, "/var/tmp", "/tmp"):  # noqa: S108 - own file, opened with O_EXCL
        with contextlib.suppress(OSError):
            if Path(directory).stat().st_dev == device and os.access(directory, os.W_OK | os.X_OK):
                return directory
    raise Unread(f"uid {os.geteuid()} may not write to {wanted} nor elsewhere on its file system")


def refuse_if_unfit(directory: str, wanted_bytes: int = FREE_BYTES_WANTED) -> None:
    """Raise Unread where the probe must not write, or would measure nothing."""
    told = os.statvfs(directory)
    free_bytes = told.f_bavail * told.f_frsize
    if free_bytes < wanted_bytes:
        free, wanted = free_bytes // 1024**2, wanted_bytes // 1024**2
        raise Unread(f"only {free} MiB free in {directory}; the probe wants {wanted} MiB")
    mount = disk.mount(directory)
    if mount is not None and mount.filesystem in disk.IN_MEMORY:
        raise Unread(f"{directory} is {mount.filesystem}: nothing written there survives a reboot")


def directory_for(wanted: str) -> str:
    """Return where to write for a data directory; Unread where nothing may be written, or it does not end.

    A child tries it: on a disk that hangs this program would stand still in its first write.
    """

    def work() -> "tuple[str, str]":
        try:
            directory = writable_directory(disk.nearest(wanted))
            refuse_if_unfit(directory)
        except Unread as reason:
            return "", str(reason)
        write_probe(Path(directory))
        return directory, ""

    directory, why = aside(work, wanted, deadline_s=ANSWER_S)
    if why:
        raise Unread(why)
    return directory


@contextlib.contextmanager
def scratch_file(directory: str) -> "Iterator[int]":
    """Open a written file of 16 MiB that has no name any more, so that nothing can leave it behind.

    It is written page by page, as PostgreSQL and fio do: what is written at once may be one large piece of
    the page cache, and looking through that for the dirty page cost 6 of 105 µs a flush (ext4, Linux 6.18).
    """
    path = Path(directory) / f".tempo-infra-fsync-{os.getpid()}-{os.urandom(4).hex()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        path.unlink()
        for offset in range(0, FILE_BYTES, BLOCK_BYTES):
            os.pwrite(descriptor, os.urandom(BLOCK_BYTES), offset)  # really written: no unwritten extents
        os.fsync(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


class Probe:
    """One measurement in several bursts; the caller does something else between them."""

    def __init__(self, directory: str, descriptor: int) -> None:
        self._directory = directory
        self._descriptor = descriptor
        self._syncs_ns = array("q")
        self._writes_ns = array("q")
        self._bursts: "list[Burst]" = []
        self._operations = 0
        self._flushes = 0
        self._device_writes = 0
        self._uncounted = ""  # why there are no counters of the disk

    def burst(self, seconds: float, *, at_least: int = 0, cap_s: float = 0.0) -> None:
        """Write and sync for some seconds; longer, up to `cap_s`, until there are `at_least` samples."""
        before = attempt(lambda: disk.counters(self._directory))
        first = len(self._syncs_ns)
        begun = time.monotonic()
        self._operations += self._write(begun, seconds, at_least, cap_s)
        after = attempt(lambda: disk.counters(self._directory))
        if before.value is None or after.value is None:
            self._uncounted = before.unread or after.unread
        else:
            self._flushes += after.value.flushes - before.value.flushes
            self._device_writes += after.value.writes - before.value.writes
        ordered = sorted(self._syncs_ns[first:])
        if ordered:
            each = [percentile(ordered, 0.5), percentile(ordered, 0.99), ordered[-1]]
            p50, p99, most = (_us(value) for value in each)
            self._bursts.append(Burst(len(ordered), p50, p99, most, round(time.monotonic() - begun, 2)))

    def _write(self, begun: float, seconds: float, at_least: int, cap_s: float) -> int:
        block, clock = os.urandom(BLOCK_BYTES), time.perf_counter_ns  # random: no disk can compress it
        pwrite, sync, descriptor = os.pwrite, os.fdatasync, self._descriptor
        until, cap = begun + seconds, begun + max(seconds, cap_s)
        offset = done = 0
        while True:
            start = clock()
            pwrite(descriptor, block, offset)
            written = clock()
            sync(descriptor)
            synced = clock()
            done += 1
            if done > WARM_UP:
                self._writes_ns.append(written - start)
                self._syncs_ns.append(synced - written)
            offset = (offset + BLOCK_BYTES) % FILE_BYTES
            now = time.monotonic()
            enough = done - WARM_UP >= at_least
            if (now >= until and enough) or now >= cap or done - WARM_UP >= MAX_SAMPLES_PER_BURST:
                return done

    @property
    def samples(self) -> int:
        return len(self._syncs_ns)

    def ordered_us(self) -> "list[float]":
        """Return how long each counted fdatasync took, the shortest first."""
        return [_us(one) for one in sorted(self._syncs_ns)]

    def result(self) -> Fsync:
        """Pool the bursts; Unread when not one operation was counted."""
        if not self._syncs_ns:
            raise Unread(f"not {WARM_UP} durable writes in {CAP_S:g} s")
        syncs = sorted(self._syncs_ns)
        return Fsync(
            directory=self._directory,
            n=len(syncs),
            p50_us=_us(percentile(syncs, 0.5)),
            p99_us=_us(percentile(syncs, 0.99)),
            max_us=_us(syncs[-1]),
            write_p50_us=_us(percentile(sorted(self._writes_ns), 0.5)),
            bursts=tuple(self._bursts),
            flushes=attempt(self._flushes_told),
            distribution=distribution(syncs),
        )

    def _flushes_told(self) -> Flushes:
        if self._uncounted:
            raise Unread(self._uncounted)
        return Flushes(
            round(self._flushes / self._operations, 3), round(self._device_writes / self._operations, 3)
        )


def _us(nanoseconds: int) -> float:
    return round(nanoseconds / 1000, 1)


def burst_plan(index: int, samples: int, spent_s: float) -> "tuple[int, float]":
    """How many samples burst `index` must bring, and how long it may take for them.

    Only a disk so slow that its bursts fall behind gets longer ones, and all of them share the cap.
    """
    left = BURSTS - index
    missing = max(0, MIN_SAMPLES - samples)
    return -(-missing // left), max(0.0, CAP_S - spent_s) / left
