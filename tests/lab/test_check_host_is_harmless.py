"""check-host takes little, loads no database at work, and leaves nothing behind, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import faults
from lab.hosts import Host, Lab
from lab.relay import Relay
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tests.lab.conftest import COMMAND, Inventory, Variants

pytestmark = pytest.mark.faults  # minutes on a busy machine

PROGRAM = "tempo_infra.on_host.serv[e]"  # in its command line; brackets, or a search would find itself
SCRATCH = ".tempo-infra-fsync"
MOST_BYTES = 40 * 1024**2
GONE_S, SILENT_S = 10, 100
NOOP_ROUND_TRIPS, CLOCK_ROUNDS = 9, 8


@pytest.fixture
def host(lab: Lab, cluster: Inventory) -> Host:
    """The host of the database, which runs."""
    [name] = [one.name for one in load(cluster.path).with_role(Role.POSTGRESQL)]
    return lab.host(name)


def programs(host: Host) -> list[int]:
    """The processes of our program on the host, sudo's among them."""
    found = host.exec(["sh", "-c", f"grep -la '{PROGRAM}' /proc/[0-9]*/cmdline"])
    return [int(line.split("/")[2]) for line in found.stdout.splitlines()]


def writes(host: Host) -> list[int]:
    """Those of them that hold the probe's file, which has no name any more."""
    found = host.exec(["sh", "-c", f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -e '{SCRATCH}' -e '^/proc'"])
    pids, now = [], 0
    for line in found.stdout.splitlines():
        if line.startswith("/proc"):
            now = int(line.split("/")[2])
        elif line.endswith("(deleted)"):
            pids.append(now)
    return pids


def left_behind(host: Host) -> list[str]:
    """Files of the probe that have a name, anywhere where it may write."""
    places = "/srv /root /var/tmp /tmp /home"
    return host.must(["sh", "-c", f"find {places} -name '{SCRATCH}*' 2>/dev/null || true"]).split()


def until(condition: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


@contextmanager
def measuring(inventory: Inventory, host: Host) -> Iterator[subprocess.Popen[str]]:
    """A run that is writing at this moment, with load although a database is there."""
    words: list[str | Path] = [COMMAND, "check-host", "-i", inventory.path, "--host", host.name]
    words += ["--with-load", "--thorough", "--format", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            assert until(lambda: writes(host), 40), "it never came to write"
            assert set(writes(host)) <= set(programs(host)), "programs are not found by their words any more"
            yield run
        finally:
            run.kill()


def nothing_is_left(host: Host, within_s: float = GONE_S) -> None:
    assert until(lambda: not programs(host), within_s), f"still there after {within_s} s: {programs(host)}"
    assert left_behind(host) == []


def one_unreachable_host(run: subprocess.Popen[str]) -> str:
    out, _ = run.communicate(timeout=SILENT_S)
    assert run.returncode == 3
    [told] = json.loads(out)["hosts"]
    assert told["error"]
    assert "\n" not in told["error"]
    return str(told["error"])


def test_a_killed_controller_leaves_nothing(cluster: Inventory, host: Host) -> None:
    with measuring(cluster, host) as run:
        os.kill(run.pid, signal.SIGKILL)
        run.wait(10)
        nothing_is_left(host)


def test_a_killed_program_leaves_nothing_and_is_one_line(cluster: Inventory, host: Host) -> None:
    with measuring(cluster, host) as run:
        host.exec(["kill", "-9", *map(str, programs(host))])  # one may go by itself when another does
        one_unreachable_host(run)
        nothing_is_left(host)


def test_a_link_that_is_cut_leaves_nothing(
    cluster: Inventory, lab: Lab, host: Host, variant: Variants
) -> None:
    with (
        Relay(host.ssh_address, host.ssh_port) as relay,
        measuring(through(relay, host, lab, variant), host) as run,
    ):
        relay.break_all("rst")
        assert "lost" in one_unreachable_host(run)
        nothing_is_left(host)


def test_a_link_that_falls_silent_leaves_nothing(cluster: Inventory, host: Host) -> None:
    """Nobody tells the host: it ends by itself once it was done and nothing was heard."""
    with measuring(cluster, host) as run, faults.ssh_dropped(host):
        assert "no answer for 30 s" in one_unreachable_host(run)
        nothing_is_left(host, SILENT_S)


def through(relay: Relay, host: Host, lab: Lab, variant: Variants) -> Inventory:
    known = lab.known_hosts.with_name("known_hosts-harmless")
    known.write_text(lab.known_hosts.read_text() + host.pinned(relay.address, relay.port) + "\n")
    return variant(
        (r"known_hosts: known_hosts", f"known_hosts: {known.name}"),
        (
            rf"address: {host.ssh_address}\n",
            f"address: {relay.address}\n    ssh: {{port: {relay.port}}}\n",
        ),
    )


def findings(inventory: Inventory, host: Host, *words: str) -> dict[str, dict[str, Any]]:
    ran = inventory.run("check-host", "--host", host.name, "--format", "json", *words)
    [told] = json.loads(ran.out)["hosts"]
    assert told["error"] == "", ran.said
    return {one["id"]: one for one in told["findings"]}


def facts(inventory: Inventory, host: Host, folder: Path, *words: str) -> dict[str, Any]:
    kept = folder / "kept.json"
    inventory.run("check-host", "--host", host.name, "--save-facts", str(kept), *words)
    found: dict[str, Any] = json.loads(kept.read_text())["hosts"][host.name]
    return found


def test_a_database_at_work_is_neither_written_beside_nor_loaded(cluster: Inventory, host: Host) -> None:
    words: list[str | Path] = [
        COMMAND,
        "check-host",
        "-i",
        cluster.path,
        "--host",
        host.name,
        "--format",
        "json",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
        while run.poll() is None:
            assert writes(host) == []
        assert run.stdout is not None
        [told] = json.loads(run.stdout.read())["hosts"]
    found = {one["id"]: one for one in told["findings"]}
    why = "a PostgreSQL server runs here; --with-load measures all the same"
    assert [(found[name]["outcome"], found[name]["note"]) for name in ("cpu.speed", "disk.flush")] == [
        ("skip", why)
    ] * 2
    assert (
        "PostgreSQL's own WAL flushes" in found["disk.fsync"]["note"]
        or "WAL flushes" in found["disk.fsync"]["found"]
    )


def test_a_small_disk_is_not_written_to(cluster: Inventory, lab: Lab) -> None:
    """On a host without a database, whose own counters would be judged instead."""
    [name] = [one.name for one in load(cluster.path).with_role(Role.HISTORY)]
    host, folder = lab.host(name), "/srv/check-host-small"
    host.must(["sh", "-c", f"mkdir -p {folder} && mount -t tmpfs -o size=900m none {folder}"])
    try:
        found = findings(cluster, host, "--data-dir", folder, "--only", "disk.fsync")["disk.fsync"]
        assert host.must(["ls", "-A", folder]).split() == []
    finally:
        host.must(["sh", "-c", f"umount {folder} && rmdir {folder}"])
    assert found["outcome"] == "unknown"
    assert found["note"] == f"only 900 MiB free in {folder}; the probe wants 1024 MiB"


def test_writing_comes_after_everything_elses(cluster: Inventory, host: Host) -> None:
    with measuring(cluster, host):
        [pid] = writes(host)
        priority = ["ionice", "-p", str(pid)]
        assert until(lambda: host.exec(priority).stdout.strip() == "best-effort: prio 7", 15)


def test_the_collector_is_small_and_says_how_it_measured(
    cluster: Inventory, host: Host, tmp_path: Path
) -> None:
    usual = facts(cluster, host, tmp_path, "--with-load")
    quick = facts(cluster, host, tmp_path, "--quick")
    for one in (usual, quick):
        assert 4 * 1024**2 < one["peak_bytes"] < MOST_BYTES
        assert one["tool_version"]
    assert "fdatasync" in usual["fsync"]["value"]["method"]
    assert sum(one["n"] for one in usual["fsync"]["value"]["distribution"]) == usual["fsync"]["value"]["n"]
    assert len(usual["cpu"]["value"]["steal_loaded"]["value"]["parts"]) == 6
    assert 3 * quick["seconds"] < usual["seconds"]


def test_facts_cost_one_round_trip(cluster: Inventory, lab: Lab, host: Host, variant: Variants) -> None:
    """Beside those of logging in, of starting the program, and of the clock, which is asked eight times."""
    with Relay(host.ssh_address, host.ssh_port, delay_ms=10) as relay:
        inventory = through(relay, host, lab, variant)
        trips: list[int] = []
        for _ in range(2):  # a busy machine adds some: bytes are taken later
            relay.traffic.reset()
            ran = inventory.run("check-host", "--host", host.name, "--quick")
            assert ran.code in (0, 1), ran.said
            trips.append(relay.round_trips)
    assert 0 < min(trips) - CLOCK_ROUNDS <= NOOP_ROUND_TRIPS
