"""The parsers of network, kernel log, upkeep, generation, database: with texts as the programs write them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host import ports, psql
from tempo_infra.on_host.facts import FactsOptions
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.ports import Listener
from tempo_infra.on_host.probes import cpu, database, docker, generation, kernel_log, memory, network, upkeep
from tempo_infra.on_host.probes.network import Peer
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.probes.roles import RolePort
from tempo_infra.on_host.shell import StepError

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 1 1 0 100 0
   1: 0C00000A:1C42 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0
   2: 0C00000A:0016 0200000A:D431 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0
"""
TCP6 = """\
  sl  local_address remote_address st
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7
"""


def test_listeners_are_read_from_the_kernels_tables() -> None:
    assert list(ports.parse(TCP)) == [Listener("127.0.0.1", 5432), Listener("10.0.0.12", 7234)]
    assert ports.parse(TCP6) == {Listener("::", 22): "7"}
    assert ports.parse("") == {}


@pytest.fixture
def server() -> Iterator[socket.socket]:
    found = socket.create_server(("127.0.0.1", 0), backlog=512)
    yield found
    found.close()


def test_an_open_port_is_timed_and_a_closed_one_too(server: socket.socket) -> None:
    port = server.getsockname()[1]
    told = network.reach(Peer("a", "127.0.0.1", port, "x"), samples=5)
    assert told.answer == "open"
    assert told.times.value is not None
    assert told.times.value.n == 5
    server.close()
    told = network.reach(Peer("a", "127.0.0.1", port, "x"), samples=5)
    assert told.answer == "closed"
    assert told.times.value is not None
    assert 0 < told.times.value.min_ms <= told.times.value.p50_ms <= told.times.value.max_ms


def test_each_host_is_timed_once(server: socket.socket) -> None:
    port = server.getsockname()[1]
    peers = tuple(Peer(host, "127.0.0.1", port, "x") for host in ("a", "a", "b"))
    told = network.read(peers).reached.value
    assert told is not None
    assert [one.times.value is not None for one in told] == [True, False, True]
    assert told[1].times.not_wanted


def test_without_peers_there_is_nothing_to_reach() -> None:
    assert network.read(()).reached.not_wanted


OOM = "kernel: Out of memory: Killed process 4711 (temporal-server) total-vm:1kB, anon-rss:1kB"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (OOM, "oom"),
        ("Memory cgroup out of memory: Killed process 1 (x)", "oom"),
        ("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null)", "oom"),
        ("INFO: task postgres:77 blocked for more than 120 seconds.", "hung"),
        ("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [java:1]", "hung"),
        ("blk_update_request: I/O error, dev vda, sector 1 op 0x1:(WRITE)", "io"),
        ("Buffer I/O error on dev dm-0, logical block 2, lost async page write", "io"),
        ("nvme nvme0: I/O 12 QID 3 timeout, aborting", "io"),
        ("EXT4-fs error (device vda1): ext4_find_entry:1455: inode #2: comm ls", "filesystem"),
        ("EXT4-fs (vda1): Remounting filesystem read-only", "filesystem"),
        ("XFS (dm-0): Metadata corruption detected at xfs_agf", "filesystem"),
        ("BTRFS error (device sda1): parent transid verify failed", "filesystem"),
    ],
)
def test_the_kernels_complaints_are_known_by_its_words(line: str, kind: str) -> None:
    told = kernel_log.parse(f"all is well\n{line}\nEXT4-fs (vda1): mounted filesystem", "dmesg")
    assert [(one.kind, one.count) for one in told.complaints] == [(kind, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "EXT4-fs (vda1): re-mounted. Opts: errors=remount-ro",
        "vboxguest: no error",
        "XFS (sda1): Ending clean mount",
    ],
)
def test_ordinary_lines_are_no_complaints(line: str) -> None:
    assert kernel_log.parse(line, "dmesg").complaints == ()


def test_many_complaints_are_counted_and_the_last_is_kept() -> None:
    told = kernel_log.parse("\n".join(f"[{n}] {OOM}" for n in range(50_000)), "dmesg")
    assert told.lines == kernel_log.MAX_LINES
    assert told.complaints[0].count == kernel_log.MAX_LINES
    assert told.complaints[0].last.startswith("[49999]")


APT = 'APT::Periodic::Unattended-Upgrade "1";\n//Unattended-Upgrade::Automatic-Reboot "true";\n'


@pytest.mark.parametrize(
    ("apt", "needrestart", "found"),
    [
        ("", None, (False, False, "", False)),
        (APT, None, (True, False, "", False)),
        (APT + 'Unattended-Upgrade::Automatic-Reboot "true";', None, (True, True, "", False)),
        ("", "#$nrconf{restart} = 'a';", (False, False, "i", False)),
        ("", "$nrconf{restart} = 'i';\n$nrconf{restart} = 'a';", (False, False, "a", False)),
        ("", "$nrconf{override_rc}{qr(^docker)} = 0;", (False, False, "i", True)),
        ("", "    qr(^docker\\.service$) => 0,", (False, False, "i", True)),
        ("", "    # qr(^docker) => 0,", (False, False, "i", False)),
    ],
)
def test_what_restarts_by_itself(
    apt: str, needrestart: str | None, found: tuple[bool, bool, str, bool]
) -> None:
    told = upkeep.parse_restarts(apt, needrestart)
    assert (told.unattended, told.reboots, told.needrestart, told.spares_docker) == found


def test_failed_units_are_the_first_words() -> None:
    text = "docker.service loaded failed failed Docker Application Container Engine\n\n"
    assert upkeep.parse_units(text) == ("docker.service",)


MEMINFO = (
    "MemTotal:  100 kB\nHugePages_Total:     512\nHugePages_Free:      500\nHugepagesize:       2048 kB\n"
)


def test_huge_pages_are_counted_in_pages() -> None:
    assert memory.parse_hugepages(MEMINFO) == memory.HugePages(512, 500, 2048 * 1024)
    with pytest.raises(Unread):
        memory.parse_hugepages("MemTotal: 1 kB\n")


def test_stopped_containers_are_told_and_running_ones_not() -> None:
    label = "com.docker.compose.service"
    listed = [
        {"Labels": {label: "ui"}, "State": "running", "Status": "Up 3 days"},
        {"Labels": {label: "history"}, "State": "exited", "Status": "Exited (1) 5 minutes ago"},
    ]
    assert docker.stopped(listed) == (docker.Stopped("history", "exited", "Exited (1) 5 minutes ago"),)


@given(st.integers(min_value=1, max_value=100_000), st.text(min_size=1, max_size=40))
def test_the_shard_count_is_read_from_temporals_metadata(shards: int, name: str) -> None:
    def varint(value: int) -> bytes:
        found = b""
        while value > 0x7F:
            found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
        return found + bytes([value])

    text = name.encode()
    message = b"\x0a" + varint(len(text)) + text + b"\x10" + varint(shards) + b"\x1a\x02ab"
    assert database.shards_of(message.hex()) == shards


@given(st.binary(max_size=60))
def test_any_other_metadata_is_unread_or_a_number(data: bytes) -> None:
    with contextlib.suppress(Unread):
        assert database.shards_of(data.hex()) >= 0


LIVE = {
    "pending": ["shared_buffers"], "errors": [], "differs": [], "stale": [],
    "altered": ["work_mem"], "clients": [{"address": "10.0.0.12", "used": 5}],
    "huge_pages": "try", "huge_pages_status": "off",
    "settings": 42, "max": 200, "reserved": 3,
    "used": 7, "idle_in_transaction_s": 0.04, "lock_waits": 2, "lock_wait_s": 1.5,
    "archive_failed": 0, "slots_held_bytes": 0, "xid_age": 900,
    "freeze_max_age": 200000000, "bytes": 123, "born_s": 4.2,
}  # fmt: skip


def test_the_databases_answers_are_read() -> None:
    told = database.live_of(LIVE)
    assert (told.altered, told.clients) == (("work_mem",), (database.Clients("10.0.0.12", 5),))
    assert (told.pending_restart, told.connections, told.max_connections) == (("shared_buffers",), 7, 200)
    assert database.checkpoints_of({"timed": 5, "requested": 1, "over_s": 60.4}).requested == 1
    index = {"name": "i", "table": "t", "bytes": 7, "rows": 8}
    vacuum = {
        "autovacuum": "on",
        "tables": [{"name": "t", "dead": 3, "live": 4, "bytes": 5}],
        "indexes": [index],
        "sizes": {"table t": 5, "index i": 7},
    }
    found = database.vacuum_of({"temporal": vacuum, "temporal_visibility": {**vacuum, "autovacuum": "off"}})
    assert found.tables[0] == database.Bloat("t", 3, 4, "temporal", 5)
    assert found.indexes[1] == database.Index("temporal_visibility", "t", "i", 7, 8)
    assert (found.on, len(found.tables), len(found.indexes)) == (False, 2, 2)
    assert found.sizes["temporal: table t"] == 5
    assert found.sizes["temporal_visibility: index i"] == 7


def test_tables_that_look_alike_are_one_and_their_names_harmless() -> None:
    """Facts with two names that look the same are refused as a whole: here one of the owner's choice."""
    names = ("table t\u200b", "table t?", 'index "x', "table Secret", "table shards", "index " + "x" * 63)
    vacuum = {
        "autovacuum": "on",
        "tables": [{"name": "a\u200b\x1b[31m" + "x" * 500, "dead": 3, "live": 4, "bytes": 5}],
        "indexes": [
            {"name": "i", "table": "\u202e", "bytes": 7, "rows": 8},
            {"name": "x; alter role temporal superuser", "table": "t", "bytes": 7, "rows": 8},
        ],
        "sizes": dict.fromkeys(names, 5),
    }
    found = database.vacuum_of({"temporal": vacuum})
    assert found.sizes == {
        "temporal: others": 20,
        "temporal: table shards": 5,
        "temporal: index " + "x" * 63: 5,
    }
    assert found.tables[0].table == "others"
    assert found.indexes == (database.Index("temporal", "others", "i", 7, 8),), "a command names it"


def test_more_shards_than_can_be_are_unread() -> None:
    with pytest.raises(Unread, match="a shard count that can't be"):
        database.shards_of("10" + "ff" * 9 + "7f")


def test_each_part_of_the_database_fails_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal's databases may be shut to us, or hold what nobody expects; the server's own word stays."""

    def ask(_: str, query: str, *, database: str = "postgres", deadline_s: float) -> list[dict[str, Any]]:
        del deadline_s
        if "cluster_metadata_info" in query:
            return []
        if database != "postgres":
            raise StepError("not let in")
        return [{"told": LIVE}]

    monkeypatch.setattr(psql, "ask", ask)
    found = database.read("c0ffee")
    assert found.live.value == database.live_of(LIVE)
    assert found.checkpoints.unread == "the probe crashed: KeyError: 'timed'"
    assert found.vacuum.unread == found.members.unread == found.waiting.unread == "not let in"
    assert found.shards.unread == "the database answered without a row"


def provisioned(root: Path, content: bytes = b"vm.swappiness = 10\n") -> Layout:
    """Lay out a generation as staging does."""
    layout = Layout(root)
    path = "etc/sysctl.d/60-tempo-infra.conf"
    files = {path: {"sha256": hashlib.sha256(b"vm.swappiness = 10\n").hexdigest()}}
    files["services/history-3f2a/server.yaml"] = {"sha256": hashlib.sha256(b"a: 1\n").hexdigest()}
    services = {"history": {"image": "server@sha256:1", "job": False, "role": "history"}}
    manifest = json.dumps({"files": files, "services": services}).encode()
    folder = layout.generations / hashlib.sha256(manifest).hexdigest()
    for place, text in (
        (folder / "manifest.json", manifest),
        (layout.installed(path), content),
        (layout.services / "history-3f2a/server.yaml", b"a: 1\n"),
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    layout.current.symlink_to(folder)
    return layout


def states(told: generation.Generation) -> list[str]:
    return [one.is_now for one in told.files]


def test_a_generation_is_compared_with_its_manifest(tmp_path: Path) -> None:
    layout = provisioned(tmp_path)
    told = generation.read(layout)
    assert told.manifest_is_its_own
    assert states(told) == ["same", "same"]
    assert told.services[0].folder == f"{tmp_path}/var/lib/tempo-infra/services/history-3f2a"
    layout.installed("etc/sysctl.d/60-tempo-infra.conf").write_text("vm.swappiness = 60\n")
    (layout.services / "history-3f2a/server.yaml").unlink()
    assert states(generation.read(layout)) == ["changed", "missing"]


def test_a_changed_manifest_is_not_the_generations_own(tmp_path: Path) -> None:
    layout = provisioned(tmp_path)
    manifest = layout.current / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")
    assert not generation.read(layout).manifest_is_its_own
    manifest.write_text("{")
    with pytest.raises(Unread, match="manifest can't be read"):
        generation.read(layout)


def test_a_host_without_a_generation_has_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(Unread) as caught:
        generation.read(Layout(tmp_path))
    assert caught.value.not_wanted


def test_options_survive_the_way_to_the_host() -> None:
    options = FactsOptions(
        thorough=True,
        internal="10.0.0.12",
        roles=(RolePort("history", 7234),),
        peers=(Peer("db-1", "10.0.0.13", 5432, "postgresql"),),
    )
    assert FactsOptions.of(json.loads(json.dumps(asdict(options)))) == options
    assert options.stretch > FactsOptions().stretch == 1


def test_speeds_are_measured_in_a_moment() -> None:
    told = cpu.speed(seconds=0.01)
    assert told.sha256_mb_s > 10
    assert told.loop_mops > 0.1
    assert told.copy_gb_s > 0
