"""The fsync probe for real, in a temporary directory: its shape and its manners, no absolute times."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host.probes import disk, fsync
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    mount = disk.read(str(tmp_path)).mount.value
    if mount is None or mount.filesystem in disk.IN_MEMORY:
        pytest.skip("the temporary directory is not on a disk")
    return tmp_path


def test_bursts_are_pooled(on_disk: Path) -> None:
    with fsync.scratch_file(str(on_disk)) as descriptor:
        probe = fsync.Probe(str(on_disk), descriptor)
        for _ in range(3):
            probe.burst(0.1, at_least=20, cap_s=10)
        result = probe.result()
    assert len(result.bursts) == 3
    assert result.n == sum(burst.n for burst in result.bursts) == probe.samples
    assert all(burst.n >= 20 for burst in result.bursts)
    assert 0 < result.p50_us <= result.p99_us <= result.max_us
    assert min(b.p50_us for b in result.bursts) <= result.p50_us <= max(b.p50_us for b in result.bursts)
    assert result.max_us == max(burst.max_us for burst in result.bursts)


def test_a_durable_write_costs_more_than_the_write_alone(on_disk: Path) -> None:
    with fsync.scratch_file(str(on_disk)) as descriptor:
        probe = fsync.Probe(str(on_disk), descriptor)
        probe.burst(0.2, at_least=50, cap_s=10)
        result = probe.result()
    assert result.p50_us > result.write_p50_us


def test_the_file_has_no_name_and_its_blocks_are_written(tmp_path: Path) -> None:
    with fsync.scratch_file(str(tmp_path)) as descriptor:
        assert list(tmp_path.iterdir()) == []
        told = os.fstat(descriptor)
        assert told.st_nlink == 0
        assert told.st_size == fsync.FILE_BYTES
        assert told.st_blocks * 512 >= fsync.FILE_BYTES
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_slow_disk_gets_longer_bursts_but_not_for_ever(on_disk: Path) -> None:
    with fsync.scratch_file(str(on_disk)) as descriptor:
        probe = fsync.Probe(str(on_disk), descriptor)
        begun = time.monotonic()
        probe.burst(0.05, at_least=10_000_000, cap_s=0.3)
        assert 0.25 < time.monotonic() - begun < 5


def test_nothing_counted_is_no_result(tmp_path: Path) -> None:
    with fsync.scratch_file(str(tmp_path)) as descriptor:
        probe = fsync.Probe(str(tmp_path), descriptor)
        assert "not 16 durable writes" in attempt(probe.result).unread


@given(
    st.integers(min_value=0, max_value=4),
    st.integers(min_value=0, max_value=10**6),
    st.floats(min_value=0, max_value=60),
)
def test_all_bursts_share_the_cap(index: int, samples: int, spent_s: float) -> None:
    at_least, cap_s = fsync.burst_plan(index, samples, spent_s)
    left = fsync.BURSTS - index
    assert samples + at_least * left >= fsync.MIN_SAMPLES
    assert spent_s + cap_s * left <= max(fsync.CAP_S, spent_s) + 1e-6


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=1), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_one_of_the_values(values: list[int], part: float) -> None:
    ordered = sorted(values)
    found = fsync.percentile(ordered, part)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= part * len(ordered)


def test_memory_is_refused() -> None:
    mount = disk.read("/dev/shm").mount.value
    if mount is None or mount.filesystem not in disk.IN_MEMORY:
        pytest.skip("/dev/shm is not in memory here")
    free = os.statvfs("/dev/shm")
    if free.f_bavail * free.f_frsize < fsync.FREE_BYTES_WANTED:
        pytest.skip("/dev/shm is too small to be refused for what it is")
    with pytest.raises(Unread, match="survives a reboot"):
        fsync.refuse_if_unfit("/dev/shm")
    with pytest.raises(Unread, match="nothing written there survives"):
        fsync.directory_for("/dev/shm/none/yet")


def test_a_disk_that_hangs_is_said_and_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (disk, fsync):
        monkeypatch.setattr(module, "ANSWER_S", 0.3)
    monkeypatch.setattr(disk, "nearest", lambda _: time.sleep(600))
    began = time.monotonic()
    said = "/srv/tempo gives no answer in 0.3 s"
    assert attempt(lambda: disk.read("/srv/tempo")) == Reading(None, said)
    assert attempt(lambda: fsync.directory_for("/srv/tempo")) == Reading(None, said)
    assert time.monotonic() - began < 20 * 0.3


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unread, match=r"MiB free in .*; the probe wants 1000000000 MiB"):
        fsync.refuse_if_unfit(str(tmp_path), wanted_bytes=10**9 * 1024**2)


def test_another_directory_of_the_same_file_system_will_do(tmp_path: Path) -> None:
    assert fsync.writable_directory(str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize(
    ("times_us", "bins"),
    [
        ([], ()),
        ([130.0], ((200, 1),)),
        ([100.0, 101.0], ((100, 1), (200, 1))),
        ([3.0, 900.0], ((5, 1), (10, 0), (20, 0), (50, 0), (100, 0), (200, 0), (500, 0), (1000, 1))),
    ],
)
def test_the_distribution_counts_each_write_once(
    times_us: list[float], bins: tuple[tuple[float, int], ...]
) -> None:
    told = fsync.distribution(sorted(round(one * 1000) for one in times_us))
    assert tuple((one.up_to_us, one.n) for one in told) == bins
