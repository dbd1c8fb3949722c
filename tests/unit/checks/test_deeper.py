"""The checks of network, clocks, kernel log, upkeep, containers and database: pass, fail, can't be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tempo_infra.checks import Finding, Outcome, find
from tempo_infra.checks.expected import EarlierSize, HostClock
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.facts import Facts, Link
from tempo_infra.on_host.ports import Listener
from tempo_infra.on_host.probes.database import Bloat, Checkpoints, Clients, Index, Vacuum
from tempo_infra.on_host.probes.docker import Cgroups, Stopped
from tempo_infra.on_host.probes.generation import OwnedFile
from tempo_infra.on_host.probes.kernel import Dirty
from tempo_infra.on_host.probes.kernel_log import Complaint, KernelLog
from tempo_infra.on_host.probes.logins import Role as DatabaseRole
from tempo_infra.on_host.probes.memory import HugePages
from tempo_infra.on_host.probes.metrics import Backlog, Delays, Polls, Queue, ShardLock, Slots
from tempo_infra.on_host.probes.network import Held
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.on_host.probes.refused import Refused
from tempo_infra.on_host.probes.roles import RoleHealth
from tempo_infra.on_host.probes.task_queues import Waiting
from tempo_infra.on_host.probes.upkeep import Apparmor, Restarts
from tempo_infra.report.comparing import earlier_sizes
from tests.unit.checks.hosts import (
    ABSENT,
    FAILED,
    GB,
    GIB,
    MEMBERS,
    ROLES,
    container,
    expected,
    generation,
    having,
    healthy,
    reached,
    role,
    service,
    with_database,
)

PASS, WARN, FAIL, UNKNOWN, SKIP = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN, Outcome.SKIP
DAY_S = 86_400
NOTHING: Reading[Any] = Reading(())


def indexed(size: int, rows: int) -> Vacuum:
    index = Index("temporal_visibility", "executions_visibility", "by_root_run_id", size, rows)
    return Vacuum(on=True, tables=(), indexes=(index,))


def read(value: Any) -> Reading[Any]:
    return Reading(value)


def roles(*more: DatabaseRole) -> Reading[Any]:
    return Reading((*ROLES, *more))


def live(**changes: Any) -> Reading[Any]:
    database = with_database().database.value
    assert database is not None
    assert database.live.value is not None
    return Reading(replace(database.live.value, **changes))


def log(*kinds: str) -> Reading[Any]:
    return Reading(KernelLog("journal", 900, tuple(Complaint(kind, 2, "words") for kind in kinds)))


def listening(*ports: int, address: str = "10.0.0.12") -> Reading[Any]:
    return Reading(tuple(Listener(address, port) for port in ports))


def link(offset_ms: float, doubt_ms: float = 2, exposed: Reading[Any] = NOTHING) -> Reading[Any]:
    return Reading(Link(offset_ms, doubt_ms, 2 * doubt_ms, exposed))


def planned(**changes: Any) -> Reading[Any]:
    return Reading(replace(generation("history"), **changes))


def locks(recently: int, p99_ms: float, before_ms: float) -> Reading[Any]:
    return Reading(ShardLock(9.0, Delays(recently, 1, p99_ms), Delays(90_000, 1, before_ms)))


def queue(oldest_s: float, polls: int = 0) -> Queue:
    return Queue("billing", "renewals", "Workflow", 5, oldest_s, 9.0, polls)


def near(p50_ms: float, answer: str = "open") -> Reading[Any]:
    return Reading(reached("frontend.example", p50_ms, 7233, "frontend", answer))


OTHER_FILES = replace(container("history"), mounts=("/var/lib/tempo-infra/services/history-bbbbbbbbbbbb",))
RISKY = Restarts(unattended=True, reboots=True, needrestart="a", spares_docker=False)

ROWS: list[tuple[str, str, Reading[Any], Outcome]] = [
    ("net.rtt", "network.reached", read((reached("db-1", 2.0, 5432, "postgresql"),)), PASS),
    ("net.rtt", "network.reached", read((reached("db-1", 2.1, 5432, "postgresql"),)), WARN),
    ("net.rtt", "network.reached", read((reached("db-1", 10.1, 5432, "postgresql", "closed"),)), FAIL),
    ("net.rtt", "network.reached", read((replace(reached("a", 1, 1, "x"), times=FAILED),)), UNKNOWN),
    ("net.rtt", "network.reached", FAILED, UNKNOWN),
    ("net.rtt", "network.reached", ABSENT, SKIP),
    ("net.reach", "network.reached", read((reached("db-1", 0.4, 5432, "postgresql"),)), PASS),
    ("net.reach", "network.reached", read((reached("db-1", 0.4, 5432, "postgresql", "closed"),)), FAIL),
    ("net.reach", "network.reached", read((reached("a", 0.4, 1, "x", "no answer in 2 s"),)), FAIL),
    ("net.reach", "network.reached", FAILED, UNKNOWN),
    ("net.port", "network.listeners", listening(7234, 6934, 22), PASS),
    ("net.port", "network.listeners", listening(7234, 6934, address="0.0.0.0"), PASS),
    ("net.port", "network.listeners", listening(7234, 6934, address="127.0.0.1"), FAIL),
    ("net.port", "network.listeners", listening(7234), FAIL),
    ("net.port", "network.listeners", FAILED, UNKNOWN),
    ("net.subnet", "network.subnets", read((Held("172.30.0.0/24", ()),)), PASS),
    (
        "net.subnet",
        "network.subnets",
        read((Held("172.30.0.0/24", ("the route 172.16.0.0/12 (wg0)",)),)),
        FAIL,
    ),
    ("net.subnet", "network.subnets", ABSENT, SKIP),
    ("net.subnet", "network.subnets", FAILED, UNKNOWN),
    ("net.exposed", "link", link(0), PASS),
    ("net.exposed", "link", link(0, exposed=read((5432,))), FAIL),
    ("net.exposed", "link", link(0, exposed=ABSENT), SKIP),
    ("net.exposed", "link", FAILED, UNKNOWN),
    ("kernel.log", "kernel_log", log(), PASS),
    ("kernel.log", "kernel_log", log("oom"), WARN),
    ("kernel.log", "kernel_log", log("hung"), WARN),
    ("kernel.log", "kernel_log", log("oom", "io"), FAIL),
    ("kernel.log", "kernel_log", log("filesystem"), FAIL),
    ("kernel.log", "kernel_log", FAILED, UNKNOWN),
    ("docker.apparmor", "upkeep.apparmor", read(Apparmor(enabled=False, parser=False)), PASS),
    ("docker.apparmor", "upkeep.apparmor", read(Apparmor(enabled=True, parser=False)), FAIL),
    ("docker.apparmor", "upkeep.apparmor", FAILED, UNKNOWN),
    ("host.reboot", "upkeep.reboot_wanted_by", read(("linux-image",)), WARN),
    ("host.reboot", "upkeep.reboot_wanted_by", FAILED, UNKNOWN),
    ("host.restarts", "upkeep.restarts", read(replace(RISKY, needrestart="i")), WARN),
    ("host.restarts", "upkeep.restarts", read(replace(RISKY, reboots=False)), WARN),
    ("host.restarts", "upkeep.restarts", read(replace(RISKY, reboots=False, spares_docker=True)), PASS),
    ("host.restarts", "upkeep.restarts", read(replace(RISKY, unattended=False, needrestart="")), PASS),
    ("host.restarts", "upkeep.restarts", FAILED, UNKNOWN),
    ("host.restarts", "upkeep.restarts", ABSENT, SKIP),
    ("host.units", "upkeep.failed_units", read(("fwupd.service",)), WARN),
    ("host.units", "upkeep.failed_units", read(("fwupd.service", "docker.service")), FAIL),
    ("host.units", "upkeep.failed_units", FAILED, UNKNOWN),
    ("mem.swap", "memory.swap_bytes", FAILED, UNKNOWN),
    ("mem.swap", "memory.swap_bytes", read(GIB), WARN),  # of which none is free
    ("mem.hugepages", "memory.hugepages", read(HugePages(100, 50, 2048)), WARN),
    ("mem.hugepages", "memory.hugepages", read(HugePages(100, 51, 2048)), WARN),
    ("mem.hugepages", "memory.hugepages", FAILED, UNKNOWN),
    ("kernel.dirty", "kernel.dirty", read(Dirty(GIB, 0)), PASS),
    ("kernel.dirty", "kernel.dirty", read(Dirty(GIB + 1, 0)), WARN),
    ("kernel.dirty", "kernel.dirty", read(Dirty(0, 20)), WARN),  # 20 % of 7 GiB
    ("kernel.dirty", "kernel.dirty", FAILED, UNKNOWN),
    ("cpu.speed", "cpu.speed", FAILED, UNKNOWN),
    ("cpu.speed", "cpu.speed", ABSENT, SKIP),
    (
        "container.state",
        "docker.containers",
        read((replace(container("history"), health="unhealthy"),)),
        FAIL,
    ),
    ("container.state", "docker.containers", read((replace(container("history"), restarts=3),)), PASS),
    ("container.state", "docker.containers", read((replace(container("history"), restarts=4),)), WARN),
    ("container.state", "docker.containers", read(()), FAIL),
    ("container.state", "docker.containers", FAILED, UNKNOWN),
    ("container.state", "docker.containers", ABSENT, UNKNOWN),  # something was provisioned here
    ("container.state", "generation", ABSENT, SKIP),
    ("container.image", "docker.containers", read((replace(container("history"), image="other"),)), FAIL),
    ("container.image", "docker.containers", FAILED, UNKNOWN),
    ("container.files", "docker.containers", read((OTHER_FILES,)), FAIL),
    ("container.files", "docker.containers", FAILED, UNKNOWN),
    ("files.drift", "generation", planned(files=(OwnedFile("/etc/x", "changed"),)), FAIL),
    ("files.drift", "generation", planned(files=(OwnedFile("/etc/x", "missing"),)), FAIL),
    ("files.drift", "generation", planned(files=(OwnedFile("/etc/x", "permission denied"),)), UNKNOWN),
    ("files.drift", "generation", planned(manifest_is_its_own=False), FAIL),
    ("files.drift", "generation", FAILED, UNKNOWN),
    ("temporal.health", "roles", read((RoleHealth("history", 7234, "NOT_SERVING"),)), FAIL),
    ("temporal.health", "roles", FAILED, UNKNOWN),
    ("temporal.health", "roles", ABSENT, SKIP),
    ("temporal.members", "database.members", read(MEMBERS[:1]), FAIL),
    ("temporal.members", "database.members", read((*MEMBERS, "history 10.0.0.99:6934")), WARN),
    ("temporal.members", "database.members", FAILED, UNKNOWN),
    ("temporal.members", "database.refusals", read((Refused("10.0.0.99", 12),)), WARN),
    ("temporal.members", "database.refusals", read(()), PASS),
    ("temporal.members", "database.refusals", FAILED, PASS),
    ("temporal.shards", "database.shards", read(4), FAIL),
    ("temporal.shards", "database.shards", FAILED, UNKNOWN),
    ("postgres.logins", "database.roles", roles(), PASS),
    ("postgres.logins", "database.roles", roles(role("exporter")), WARN),
    ("postgres.logins", "database.roles", roles(role("exporter", logs_in=False)), PASS),
    ("postgres.logins", "database.roles", roles(role("reader", "temporal")), FAIL),
    ("postgres.logins", "database.roles", roles(role("reader", superuser=True)), FAIL),
    ("postgres.logins", "database.roles", roles(role("temporal_green", "temporal")), WARN),
    ("postgres.logins", "database.roles", FAILED, UNKNOWN),
    ("postgres.settings", "database.live", live(pending_restart=("shared_buffers",)), FAIL),
    ("postgres.settings", "database.live", live(files_not_loaded=("/etc/x/postgresql.conf",)), FAIL),
    ("postgres.settings", "database.live", live(not_applied=("work_mem",)), FAIL),
    ("postgres.settings", "database.live", live(file_errors=("?: syntax error",)), FAIL),
    ("postgres.settings", "database.live", FAILED, UNKNOWN),
    ("postgres.connections", "database.live", live(connections=157), PASS),
    ("postgres.connections", "database.live", live(connections=158), WARN),
    ("postgres.connections", "database.live", live(connections=188), FAIL),
    ("postgres.connections", "database.live", FAILED, UNKNOWN),
    ("postgres.locks", "database.live", live(longest_lock_wait_s=1.0), PASS),
    ("postgres.locks", "database.live", live(longest_lock_wait_s=1.1), WARN),
    ("postgres.locks", "database.live", FAILED, UNKNOWN),
    ("postgres.wal", "database.checkpoints", read(Checkpoints(79, 21, 1e6)), WARN),
    ("postgres.wal", "database.checkpoints", read(Checkpoints(2, 10, 1e6)), PASS),
    ("postgres.wal", "database.checkpoints", FAILED, UNKNOWN),
    ("postgres.wal", "database.live", live(slots_held_bytes=5 * GIB), WARN),
    ("postgres.wal", "database.live", live(slots_held_bytes=33 * GIB), FAIL),
    ("postgres.wal", "database.live", live(archive_failed=1), WARN),
    ("postgres.vacuum", "database.vacuum", read(Vacuum(on=False, tables=())), FAIL),
    ("postgres.vacuum", "database.vacuum", read(Vacuum(on=True, tables=(Bloat("t", 41, 59),))), WARN),
    ("postgres.vacuum", "database.vacuum", read(indexed(8 << 30, 1_000_000)), WARN),
    ("postgres.vacuum", "database.vacuum", read(indexed(8 << 30, 20_000_000)), PASS),
    ("postgres.vacuum", "database.vacuum", read(indexed(100 << 20, 0)), PASS),
    ("postgres.vacuum", "database.vacuum", read(indexed(129 << 20, 0)), WARN),
    ("postgres.vacuum", "database.vacuum", FAILED, UNKNOWN),
    ("postgres.vacuum", "database.live", live(idle_in_transaction_s=601), WARN),
    ("postgres.vacuum", "database.live", live(xid_age=200_000_001), WARN),
    ("postgres.vacuum", "database.live", live(xid_age=400_000_001), FAIL),
    ("disk.growth", "database.live", live(data_bytes=90 * GB, born_s=40 * DAY_S), WARN),
    ("disk.growth", "database.live", live(data_bytes=70 * GB, born_s=5 * DAY_S), FAIL),
    ("disk.growth", "database.live", live(born_s=1.9 * DAY_S), SKIP),
    ("disk.growth", "database.live", FAILED, UNKNOWN),
    ("disk.growth", "disk.space", FAILED, UNKNOWN),
    ("postgres.settings", "database.live", live(altered=("work_mem",)), FAIL),
    ("postgres.connections", "database.live", live(clients=(Clients("10.0.0.11", 46),)), WARN),
    ("postgres.connections", "database.live", live(clients=(Clients("10.0.0.11", 45),)), PASS),
    ("postgres.connections", "database.live", live(clients=(Clients("172.30.0.3", 66),)), WARN),  # its own
    ("temporal.shardlock", "metrics.shard_lock", locks(400, 50, 5), PASS),
    ("temporal.shardlock", "metrics.shard_lock", locks(400, 100, 5), WARN),
    ("temporal.shardlock", "metrics.shard_lock", locks(400, 500, 5), FAIL),
    ("temporal.shardlock", "metrics.shard_lock", locks(99, 500, 300), PASS),  # too few to be the present
    ("temporal.shardlock", "metrics.shard_lock", locks(99, 5, 500), WARN),
    ("temporal.shardlock", "metrics.shard_lock", FAILED, UNKNOWN),
    ("temporal.shardlock", "metrics.shard_lock", ABSENT, SKIP),
    ("temporal.backlog", "metrics.backlog", read(Backlog((queue(10.0),), 1)), PASS),
    ("temporal.backlog", "metrics.backlog", read(Backlog((queue(10.1),), 1)), WARN),
    ("temporal.backlog", "metrics.backlog", FAILED, UNKNOWN),
    ("temporal.backlog", "database.waiting", read((Waiting("billing", "q", "Activity", 4, 149.0),)), PASS),
    ("temporal.backlog", "database.waiting", read((Waiting("billing", "q", "Activity", 4, 151.0),)), WARN),
    ("temporal.backlog", "database.waiting", FAILED, UNKNOWN),
    ("temporal.pollers", "metrics.polls", read((Polls("billing", 480, 480),)), PASS),
    ("temporal.pollers", "metrics.polls", read((Polls("billing", 481, 480),)), WARN),
    ("temporal.pollers", "metrics.polls", read(()), PASS),
    ("temporal.pollers", "metrics.polls", FAILED, UNKNOWN),
    ("temporal.slots", "metrics.slots", read((Slots("w:9090", "q", "ActivityWorker", 1, 99),)), PASS),
    ("temporal.slots", "metrics.slots", read((Slots("w:9090", "q", "ActivityWorker", 0, 100),)), FAIL),
    (
        "temporal.slots",
        "metrics.slots",
        read((Slots("w:9090", "q", "NexusWorker", 0, 0),)),
        SKIP,
    ),  # none in use
    ("temporal.slots", "metrics.slots", FAILED, UNKNOWN),
    ("net.frontend", "network.frontend", near(2.0), PASS),
    ("net.frontend", "network.frontend", near(2.1), WARN),
    ("net.frontend", "network.frontend", near(10.1), FAIL),
    ("net.frontend", "network.frontend", near(0.4, "closed"), FAIL),
    ("net.frontend", "network.frontend", FAILED, UNKNOWN),
    ("net.frontend", "network.frontend", ABSENT, SKIP),
    ("nofile.service", "nofile.sshd", service(1023, 4096), WARN),
    ("nofile.service", "nofile.dockerd", service(1024, 4096, in_use=513), WARN),
    ("nofile.service", "nofile.containerd", service(1024, 4096, in_use=820), FAIL),
    ("nofile.service", "nofile.sshd", FAILED, UNKNOWN),
    ("nofile.service", "nofile", FAILED, UNKNOWN),
    ("containerd.version", "docker.containerd", FAILED, UNKNOWN),
    ("docker.cgroup", "docker.cgroups", read(Cgroups("1", "cgroupfs")), WARN),
    ("docker.cgroup", "docker.cgroups", read(Cgroups("2", "cgroupfs")), WARN),
    ("docker.cgroup", "docker.cgroups", FAILED, UNKNOWN),
]
ON_REQUEST = {"net.frontend", "temporal.slots"}  # nothing to look at unless an option names it
IDS = sorted({row[0] for row in ROWS} | {"clock.skew"})


def findings(identifier: str, facts: Facts, **changes: Any) -> tuple[Finding, ...]:
    [check] = find(identifier)
    return check.evaluate(facts, replace(expected(Role.HISTORY, Role.POSTGRESQL), **changes))


@pytest.mark.parametrize("identifier", IDS)
def test_a_healthy_host_passes(identifier: str) -> None:
    found = findings(identifier, with_database())
    assert {one.outcome for one in found} == ({SKIP} if identifier in ON_REQUEST else {PASS})


@pytest.mark.parametrize(
    ("identifier", "path", "reading", "outcome"),
    ROWS,
    ids=[f"{row[0]}-{row[3]}-{number}" for number, row in enumerate(ROWS)],
)
def test_a_check_finds_its_fault(identifier: str, path: str, reading: Reading[Any], outcome: Outcome) -> None:
    found = findings(identifier, having(with_database(), path, reading))
    assert max((one.outcome for one in found), key=lambda one: one.rank) is outcome


@pytest.mark.parametrize(
    ("clocks", "outcome"),
    [
        ({"history-1": (60.0, 5.0), "db-1": (-45.0, 5.0)}, PASS),  # 105 apart, 10 of it in doubt
        ({"history-1": (60.0, 5.0), "db-1": (-60.0, 5.0)}, WARN),
        ({"history-1": (2000.0, 5.0), "db-1": (0.0, 5.0)}, FAIL),
        ({"history-1": (60.0, 80.0), "db-1": (0.0, 80.0)}, UNKNOWN),
    ],
)
def test_clocks_of_hosts_are_compared_beyond_doubt(
    clocks: dict[str, tuple[float, float]], outcome: Outcome
) -> None:
    told = {name: HostClock(*clock) for name, clock in clocks.items()}
    found = {one.subject: one.outcome for one in findings("clock.skew", healthy(), clocks=told)}
    assert found == {"controller": PASS, "db-1": outcome}


def test_a_controller_whose_clock_is_wrong_fails_no_cluster() -> None:
    """Both hosts are two seconds off, and agree: it is the controller's clock that is wrong."""
    facts = replace(healthy(), link=link(2000.0))
    together = {name: HostClock(2000.0, 2.0) for name in ("history-1", "db-1")}
    found = {one.subject: one.outcome for one in findings("clock.skew", facts, clocks=together)}
    assert found == {"controller": WARN, "db-1": PASS}
    [alone] = findings("clock.skew", facts, clocks={"history-1": HostClock(2000.0, 2.0)})
    assert alone.outcome is FAIL


def test_a_clock_that_nobody_else_measured_is_not_asked_for() -> None:
    assert [one.outcome for one in findings("clock.skew", replace(healthy(), link=ABSENT), clocks={})] == [
        SKIP
    ]


def test_ports_are_free_before_a_host_is_provisioned() -> None:
    fresh = having(healthy(), "generation", ABSENT)
    [taken] = findings("net.port", fresh)
    assert (taken.outcome, taken.found) == (FAIL, "taken: 6934 (history), 7234 (history)")
    [free] = findings("net.port", having(fresh, "network.listeners", listening(22)))
    assert (free.outcome, free.found) == (PASS, "2 free")


@pytest.mark.parametrize(
    ("ui", "outcome", "said"),
    [
        (["127.0.0.1"], PASS, "2 open"),
        (
            ["10.0.0.12"],
            FAIL,
            "closed: 8080 (ui); 8080 (ui) answers on 10.0.0.12",
        ),  # as earlier versions had it
        (["127.0.0.1", "203.0.113.9"], FAIL, "8080 (ui) answers on 203.0.113.9"),
        (["0.0.0.0"], FAIL, "8080 (ui) answers on 0.0.0.0"),
        (["127.0.0.1", "::"], FAIL, "8080 (ui) answers on ::"),
        (["127.0.0.1", "::1"], PASS, "2 open"),
        ([], FAIL, "closed: 8080 (ui)"),
    ],
)
def test_the_ui_answers_on_the_loopback_and_nowhere_else(ui: list[str], outcome: Outcome, said: str) -> None:
    told = (Listener("10.0.0.12", 7233), *(Listener(address, 8080) for address in ui))
    facts = having(healthy(), "network.listeners", read(told))
    [found] = findings("net.port", facts, ports={7233: "frontend", 8080: "ui"})
    assert (found.outcome, found.found) == (outcome, said)


def test_before_a_host_is_provisioned_only_silence_is_a_fault() -> None:
    closed = having(healthy(), "network.reached", read((reached("a", 1, 5432, "x", "closed"),)))
    assert findings("net.reach", having(closed, "generation", ABSENT))[0].outcome is PASS
    silent = having(healthy(), "network.reached", read((reached("a", 1, 5432, "x", "no answer in 2 s"),)))
    [found] = findings("net.reach", having(silent, "generation", ABSENT))
    assert (found.outcome, found.found) == (WARN, "10.0.0.13:5432 no answer in 2 s")


def test_a_host_that_nothing_here_talks_to_is_only_timed() -> None:
    idle = replace(reached("a", 1, 22, "ssh", "no answer in 2 s"), times=FAILED)
    idle = replace(idle, peer=replace(idle.peer, needed=False))
    facts = having(healthy(), "network.reached", read((idle,)))
    assert findings("net.reach", facts)[0].outcome is SKIP
    assert findings("net.rtt", facts)[0].outcome is SKIP


def test_a_queue_is_told_once_though_two_places_know_it() -> None:
    facts = having(with_database(), "metrics.backlog", read(Backlog((queue(500.0),), 1)))
    facts = having(facts, "database.waiting", read((Waiting("billing", "renewals", "Workflow", 5, 500.0),)))
    [found] = findings("temporal.backlog", facts)
    assert (found.subject, found.note) == ("billing/renewals workflow", "nobody polled it in 9 s")


def test_a_stopped_container_is_named_with_the_engines_words() -> None:
    facts = having(with_database(), "docker.containers", Reading(()))
    facts = having(facts, "docker.stopped", Reading((Stopped("history", "exited", "Exited (137) 2 s ago"),)))
    [found] = findings("container.state", facts)
    assert (found.subject, found.found) == ("history", "Exited (137) 2 s ago")


def test_an_image_without_a_digest_warns() -> None:
    plain = replace(container("history"), image="temporalio/server:1.31.2")
    service = replace(generation("history").services[0], image="temporalio/server:1.31.2")
    facts = having(with_database(), "docker.containers", Reading((plain,)))
    facts = having(facts, "generation", planned(services=(service,)))
    assert findings("container.image", facts)[0].outcome is WARN


def test_swap_that_nobody_uses_is_fine() -> None:
    facts = having(healthy(), "memory.swap_bytes", Reading(GIB))
    assert findings("mem.swap", having(facts, "memory.swap_free_bytes", Reading(GIB)))[0].outcome is PASS
    assert findings("mem.swap", having(facts, "memory.swap_free_bytes", FAILED))[0].outcome is UNKNOWN


def test_a_containers_kernel_log_is_the_machines() -> None:
    facts = having(having(healthy(), "kernel_log", log("io")), "virt.container", Reading("docker"))
    assert findings("kernel.log", facts)[0].outcome is SKIP


def test_a_host_without_an_inventory_is_not_asked_who_its_members_are() -> None:
    facts = with_database()
    for identifier, changes in (
        ("temporal.members", {"members": ()}),
        ("temporal.shards", {"shards": 0}),
        ("net.port", {"ports": {}}),
    ):
        assert findings(identifier, facts, **changes)[0].outcome is SKIP


RING = ("frontend 10.0.0.11:7233", "history 10.0.0.12:7234")


@pytest.mark.parametrize(
    ("reading", "outcomes", "said"),
    [
        (Reading(RING), [PASS, PASS], "2 servers, all ours"),
        (Reading(RING[:1]), [PASS, FAIL], "missing: history 10.0.0.12:7234"),
        (Reading((*RING, "history 10.0.0.99:7234")), [PASS, FAIL], "not ours: history 10.0.0.99:7234"),
        (FAILED, [PASS, UNKNOWN], "not measured"),
        (ABSENT, [PASS], "2 members, all ours"),  # no frontend here
    ],
    ids=["ours", "missing", "stranger", "silent", "no-frontend"],
)
def test_a_stranger_in_the_ring_fails_although_the_table_has_none(
    reading: Reading[Any], outcomes: list[Outcome], said: str
) -> None:
    found = findings("temporal.members", having(with_database(), "ring", reading), ring=RING)
    assert [one.outcome for one in found] == outcomes
    assert [one.subject for one in found][1:] == ["ring"][: len(found) - 1]
    assert found[-1].found == said


def test_who_knocks_is_named() -> None:
    reading = Reading((Refused("10.0.0.99", 12),))
    [found] = findings("temporal.members", having(with_database(), "database.refusals", reading))
    assert found.found == "2 members, all ours; logins refused: 10.0.0.99 (12 times)"


def test_every_number_of_a_database_stands_in_the_evidence() -> None:
    [found] = findings("disk.growth", with_database())
    assert found.evidence["days_left"] == 600
    assert found.evidence["bytes_per_day"] == GB // 10


@pytest.mark.parametrize(
    ("earlier", "outcome", "pace"),
    [
        (EarlierSize(4 * GB - 10**8, "2026-11-19T10:00:00Z"), PASS, "0.0931 GiB in 1 days"),
        (EarlierSize(GB, "2026-11-19T10:00:00Z"), WARN, "2.79 GiB in 1 days"),  # 20 days for 60 GB
        (EarlierSize(GB, "2026-11-20T04:00:00Z"), FAIL, "2.79 GiB in 0.25 days"),
        (
            EarlierSize(9 * GB, "2026-11-19T10:00:00Z"),
            PASS,
            "-4.66 GiB in 1 days",
        ),  # retention took more away
        (EarlierSize(GB, "2026-11-20T09:30:00Z"), SKIP, "less than an hour since the earlier report"),
        (EarlierSize(GB, "yesterday"), PASS, "3.73 GiB in 40 days"),
    ],
)
def test_the_disk_lasts_at_the_present_growth(earlier: EarlierSize, outcome: Outcome, pace: str) -> None:
    [found] = findings("disk.growth", with_database(), earlier=earlier)
    assert (found.outcome, found.note) == (outcome, pace)
    assert found.evidence["data_bytes"] == 4 * GB


def test_what_grew_most_since_an_earlier_report_is_named_with_what_makes_it_small() -> None:
    was = {"temporal: table history_node": GB, "temporal: index pkey": GB, "temporal: table gone": GB}
    now = {
        "temporal: table history_node": 3 * GB,
        "temporal: index pkey": 2 * GB,
        "temporal_visibility: table new": 9 * GB,  # it was not among the largest: nobody knows by how much
    }
    facts = having(with_database(), "database.vacuum", read(Vacuum(on=True, tables=(), sizes=now)))
    earlier = EarlierSize(GB, "2026-11-19T10:00:00Z", was)
    [found] = findings("disk.growth", facts, earlier=earlier)
    assert found.note == (
        "2.79 GiB in 1 days; temporal: table history_node grew by 1.86 GiB (a shorter retention); "
        "temporal: index pkey grew by 0.931 GiB (REINDEX INDEX CONCURRENTLY pkey)"
    )
    assert found.evidence["sizes"] == now
    report = {
        "hosts": [{"name": "db-1", "findings": [{"id": "disk.growth", "evidence": dict(found.evidence)}]}]
    }
    assert earlier_sizes(report)["db-1"].sizes == now


def test_an_indexs_name_is_quoted_in_the_statement_to_paste() -> None:
    name = "i; drop table x"
    key = f"temporal: index {name}"
    facts = having(with_database(), "database.vacuum", read(Vacuum(on=True, tables=(), sizes={key: 2 * GB})))
    [found] = findings("disk.growth", facts, earlier=EarlierSize(GB, "2026-11-19T10:00:00Z", {key: GB}))
    assert f'(REINDEX INDEX CONCURRENTLY "{name}")' in found.note
    bloated = indexed(8 << 30, 1_000_000)
    bloated = replace(bloated, indexes=tuple(replace(one, name=name) for one in bloated.indexes))
    [found] = findings("postgres.vacuum", having(with_database(), "database.vacuum", read(bloated)))
    assert f'REINDEX INDEX CONCURRENTLY "{name}"' in found.found


def test_a_bloated_index_is_named_with_what_makes_it_smaller() -> None:
    facts = having(with_database(), "database.vacuum", read(indexed(8 << 30, 1_000_000)))
    [found] = findings("postgres.vacuum", facts)
    assert "temporal_visibility: index by_root_run_id of executions_visibility has 8" in found.found
    assert "REINDEX INDEX CONCURRENTLY by_root_run_id" in found.found


@pytest.mark.parametrize(
    ("pages", "setting", "used", "outcome"),
    [
        (HugePages(100, 10, 2048), "try", "off", WARN),
        (HugePages(100, 10, 2048), "on", "off", WARN),
        (HugePages(100, 10, 2048), "try", "on", PASS),
        (HugePages(100, 10, 2048), "try", "", PASS),
        (HugePages(100, 10, 2048), "off", "off", PASS),
        (HugePages(0, 0, 2048), "try", "off", PASS),
    ],
)
def test_huge_pages_that_were_reserved_and_not_taken_are_said(
    pages: HugePages, setting: str, used: str, outcome: Outcome
) -> None:
    """The memory limit was lowered by them."""
    facts = having(with_database(), "memory.hugepages", read(pages))
    facts = having(facts, "database.live", live(huge_pages=setting, huge_pages_used=used))
    [found] = findings("mem.hugepages", facts)
    assert found.outcome is outcome
    assert ("huge_pages_status off" in found.found) == (outcome is WARN)
