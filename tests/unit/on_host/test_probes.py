"""What each probe makes of captured text; where it says nothing, the reason is kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host import processes
from tempo_infra.on_host.probes import (
    clock,
    cpu,
    disk,
    docker,
    kernel,
    memory,
    nofile,
    postgres,
    system,
    virt,
)
from tempo_infra.on_host.probes.postgres import Flushed, Settings
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, output_of, read_file
from tempo_infra.on_host.processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parents[2] / "data"


def text(name: str) -> str:
    return (DATA / name).read_text("utf-8")


PARSED: list[tuple[Callable[[str], Any], str, Any]] = [
    (nofile.parse, "nofile/debian12-login.txt", nofile.Limits(1024, 1_048_576)),
    (nofile.parse, "nofile/debian13-login-with-limits-d.txt", nofile.Limits(65_535, 65_535)),
    (nofile.parse, "nofile/go-server-in-65535.txt", nofile.Limits(65_534, 65_535)),
    (nofile.parse, "nofile/unlimited.txt", nofile.Limits(1024, nofile.UNLIMITED)),
    (kernel.parse_choice, "kernel/thp-debian12.txt", "always"),
    (kernel.parse_choice, "kernel/thp-debian13.txt", "madvise"),
    (system.parse_os_release, "system/debian12.txt", "Debian GNU/Linux 12 (bookworm)"),
    (system.parse_os_release, "system/ubuntu2404.txt", "Ubuntu 24.04.3 LTS"),
    (cpu.parse_ticks, "cpu/stat-no-steal.txt", cpu.Ticks(61_720, 177, 249_486)),
    (virt.parse, "virt/kvm.txt", "kvm"),
    (virt.parse, "virt/none.txt", "none"),
    (disk.parse_counters, "disk/stat-linux61.txt", disk.Counters(20_359, 680)),
    (docker.parse_version, "docker/compose-debian13.txt", "2.26.1"),
    (docker.parse_version, "docker/compose-docker-ce.txt", "2.32.4"),
    (docker.parse_version, "docker/engine-debian13.txt", "26.1.5"),
    (docker.parse_version, "docker/engine-ubuntu2404.txt", "28.2.2"),
    (processes.parse, "processes/sshd-session.txt", Process(4105, 4101, "sshd-session", 60_733)),
    (processes.parse, "processes/odd-name.txt", Process(77, 1, "a b) c)", 91_852)),
    (processes.parse, "processes/garbage.txt", None),
]

UNREADABLE: list[tuple[Callable[[str], Any], str, str]] = [
    (nofile.parse, "nofile/cut-off.txt", "no line `Max open files`"),
    (kernel.parse_choice, "kernel/thp-unset.txt", "no choice in"),
    (system.parse_os_release, "system/no-name.txt", "no PRETTY_NAME"),
    (cpu.parse_ticks, "cpu/stat-linux24.txt", "column for steal"),
    (cpu.parse_ticks, "virt/silent.txt", "column for steal"),
    (virt.parse, "virt/silent.txt", "answered ''"),
    (disk.parse_counters, "disk/stat-linux54.txt", "needs Linux 5.5"),
    (docker.parse_version, "docker/no-version.txt", "no version number in 'dev'"),
]


@pytest.mark.parametrize(("parse", "name", "value"), PARSED, ids=[row[1] for row in PARSED])
def test_captured_text_is_parsed(parse: Callable[[str], Any], name: str, value: Any) -> None:
    assert parse(text(name)) == value


@pytest.mark.parametrize(("parse", "name", "words"), UNREADABLE, ids=[row[1] for row in UNREADABLE])
def test_text_that_says_nothing_gives_the_reason(parse: Callable[[str], Any], name: str, words: str) -> None:
    with pytest.raises(Unread, match="^.*" + words.replace("(", r"\(")):
        parse(text(name))


def test_every_capture_is_used() -> None:
    used = {row[1] for row in (*PARSED, *UNREADABLE)} | set(Path(__file__).read_text("utf-8").split('"'))
    folders = {DATA / Path(name).parent for _, name, _ in PARSED}
    assert {path.relative_to(DATA).as_posix() for folder in folders for path in folder.iterdir()} <= used


@given(st.text())
def test_parsers_of_a_hosts_words_raise_nothing_else(words: str) -> None:
    """Whatever a host says, a probe ends with a value or a reason."""
    parsers: list[Callable[[str], Any]] = [row[0] for row in PARSED]
    for parse in (*parsers, lambda said: memory.parse(said, "MemTotal"), memory.parse_limit, cpu.parse_quota):
        reading = attempt(lambda parse=parse: parse(words))  # type: ignore[misc]  # bound now
        assert (reading.value is None) <= (bool(reading.unread) or parse is processes.parse)


@pytest.mark.parametrize(
    ("name", "device", "directory", "point", "filesystem"),
    [
        ("disk/mounts-debian13.txt", "254:1", "/srv", "/", "ext4"),
        ("disk/mounts-debian13.txt", "259:0", "/srv/tempo/postgres", "/srv/tempo", "ext4"),
        ("disk/mounts-debian13.txt", "259:1", "/srv/my disk", "/srv/my disk", "xfs"),
        ("disk/mounts-debian13.txt", "254:1", "/srv/bind/x", "/srv/bind", "ext4"),
        ("disk/mounts-debian13.txt", "254:1", "/srv/bindings", "/", "ext4"),
        ("disk/mounts-debian13.txt", "0:25", "/dev/shm/x", "/dev/shm", "tmpfs"),
        ("disk/mounts-container.txt", "0:45", "/srv", "/", "overlay"),
        ("disk/mounts-container.txt", "254:0", "/srv/tempo", "/srv/tempo", "ext4"),
    ],
)
def test_the_mount_of_a_directory(
    name: str, device: str, directory: str, point: str, filesystem: str
) -> None:
    mount = disk.parse_mounts(text(name), device, directory)
    assert (mount.point, mount.filesystem) == (point, filesystem)


def test_mount_options_are_those_of_mount_and_file_system() -> None:
    mount = disk.parse_mounts(text("disk/mounts-debian13.txt"), "259:0", "/srv/tempo")
    assert mount.options == "rw,noatime,rw,nobarrier"
    with pytest.raises(Unread, match="/srv on device 9:9"):
        disk.parse_mounts(text("disk/mounts-debian13.txt"), "9:9", "/srv")


def test_the_nearest_parent_that_exists(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert disk.nearest(f"{tmp_path}/a/b") == str(tmp_path)
    assert disk.nearest(f"{tmp_path}/file/b") == str(tmp_path)
    assert disk.nearest("/nowhere/at/all") == "/"


def test_steal_is_a_share_of_the_window() -> None:
    before, after = cpu.parse_ticks(text("cpu/stat-before.txt")), cpu.parse_ticks(text("cpu/stat-after.txt"))
    assert cpu.between(before, after, 2.8) == cpu.Steal(percent=10.0, busy_percent=96.7, window_s=2.8)
    with pytest.raises(Unread, match="didn't move"):
        cpu.between(before, before, 2.8)


@pytest.mark.parametrize(
    ("online", "quota", "usable"), [(4, None, 4), (4, 2.0, 2), (4, 1.5, 2), (4, 0.1, 1), (2, 8.0, 2)]
)
def test_a_cgroup_may_leave_fewer_cpus(online: int, quota: float | None, usable: int) -> None:
    assert cpu.usable(online, quota) == usable


def test_a_quota_in_words() -> None:
    assert cpu.parse_quota("150000 100000\n") == 1.5
    with pytest.raises(Unread) as caught:
        cpu.parse_quota("max 100000\n")
    assert caught.value.not_wanted


def test_memory_is_the_machines_or_the_cgroups() -> None:
    assert memory.parse(text("memory/debian13-4gib.txt"), "MemTotal") == 4013732 * 1024
    with pytest.raises(Unread, match="no line MemTotal"):
        memory.parse(text("memory/cut-off.txt"), "MemTotal")
    assert memory.parse_limit("4294967296\n") == 4 * 1024**3
    for unlimited in ("max\n", "9223372036854771712\n"):
        with pytest.raises(Unread, match="no cgroup limit"):
            memory.parse_limit(unlimited)


def test_open_files_of_the_host() -> None:
    for name in ("kernel/file-nr-debian12.txt", "kernel/file-nr-ubuntu2204.txt"):
        told = kernel.parse_open_files(text(name), "1048576\n")
        assert told.maximum == 9_223_372_036_854_775_807
        assert told.per_process == 1_048_576


@pytest.mark.parametrize(
    ("state", "status", "synchronised"),
    [(0, 0x2001, True), (5, 0x40, False), (0, 0x40, False), (5, 0, False)],
)
def test_the_kernels_word_on_the_clock(state: int, status: int, *, synchronised: bool) -> None:
    assert clock.parse(state, status, 16_000_000) == clock.Discipline(synchronised, 16_000.0)


def test_what_keeps_the_clock() -> None:
    assert clock.keeper(["systemd", "sshd", "chronyd"]) == "chronyd"
    reading = attempt(lambda: clock.keeper(["systemd", "sshd"]))
    assert (reading.value, reading.not_wanted) == (None, True)


def test_containers_of_a_host() -> None:
    entries = json.loads(text("docker/inspect-history.json"))
    history, web = (docker.container(entry) for entry in entries)
    assert (history.name, history.service, history.ours) == ("tempo-infra-history-1", "history", True)
    assert (history.health, history.restarts) == ("healthy", 2)
    assert (web.name, web.service, web.ours, web.health) == ("web", "", False, "")
    assert history.nofile.value is None  # no process of that number runs here
    assert "no such file" in history.nofile.unread


def test_the_clusters_database_is_found_by_its_labels() -> None:
    [history, _] = (docker.container(e) for e in json.loads(text("docker/inspect-history.json")))
    assert postgres.database_of((history,)) is None
    reading = attempt(lambda: postgres.begin((history,)))
    assert reading.not_wanted


def test_flushes_are_averaged_since_the_reset_and_over_the_window() -> None:
    before = postgres.flushed_of({"count": 1200, "time_ms": 480.5})
    after = postgres.flushed_of({"count": 1240, "time_ms": 500.5})
    flushed = postgres.between(before, after, 2.0)
    assert (flushed.window_count, flushed.window_mean_ms) == (40, 0.5)
    assert flushed.mean_ms == pytest.approx(0.4036, abs=1e-4)
    assert postgres.between(after, after, 2.0).window_mean_ms == 0.0
    nothing = postgres.Flushed(0, 0.0)
    assert postgres.between(nothing, nothing, 2.0).mean_ms == 0.0


def test_a_server_that_does_not_time_its_flushes_is_not_waited_for() -> None:
    unread: Reading[Flushed] = Reading(None, "track_wal_io_timing is off")
    settings = Reading(Settings(170_004, 1000, times_flushes=False, in_recovery=False))
    begun = postgres.Begun("tempo-infra-postgresql-1", settings, unread, time.monotonic())
    started = time.monotonic()
    assert postgres.read(begun, 5.0).wal_flush == Reading(None, "track_wal_io_timing is off")
    assert time.monotonic() - started < 1


TREE = (
    Process(1, 0, "systemd"),
    Process(10, 1, "sshd"),
    Process(20, 10, "sshd-session"),
    Process(21, 20, "sshd-session"),
    Process(30, 21, "sh"),
    Process(40, 30, "sudo"),
    Process(50, 40, "python3"),
    Process(60, 1, "postgres"),
    Process(61, 60, "postgres"),
    Process(70, 1, "python3"),
)


def test_a_login_is_what_sshd_started_not_what_sudo_started() -> None:
    assert processes.session_start(TREE, 50) == 30
    assert processes.session_start(TREE, 70) == 70
    assert processes.session_start((), 50) == 50


def test_a_server_is_the_postgres_that_no_postgres_started() -> None:
    assert processes.postmasters(TREE) == (60,)


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "unread", "not_wanted"),
    [
        (Unread("no such thing"), "no such thing", False),
        (Unread("left out", not_wanted=True), "left out", True),
        (PermissionError(13, "Permission denied", "/proc/1/fd"), "/proc/1/fd: permission denied", False),
        (ValueError("x" * 1000), "the probe crashed: ValueError: xxx", False),
    ],
)
def test_a_probe_that_fails_leaves_its_words(error: Exception, unread: str, *, not_wanted: bool) -> None:
    reading: Reading[None] = attempt(lambda: _raise(error))
    assert reading.value is None
    assert reading.unread.startswith(unread)
    assert len(reading.unread) <= 300
    assert reading.not_wanted is not_wanted


def test_programs_that_are_missing_fail_or_hang_leave_their_words() -> None:
    assert attempt(lambda: output_of("no-such-program")).unread == "no-such-program: not found on this host"
    assert "exit code 1" in attempt(lambda: output_of("false")).unread
    assert "no answer in 0.2 s" in attempt(lambda: output_of("sleep", "5", deadline_s=0.2)).unread


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in attempt(lambda: read_file(f"{tmp_path}/pipe")).unread
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    assert len(read_file(f"{tmp_path}/large")) < 2_000_000


def test_captures_hold_what_they_say() -> None:
    assert (
        json.loads(text("docker/inspect-history.json"))[0]["State"]["Pid"] > 4_194_304
    )  # beyond any real pid
