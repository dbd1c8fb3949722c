"""What depends on more than one reading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.checks import Expected, Outcome, find
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.engine_here import Unfit
from tempo_infra.on_host.probes.clock import Discipline
from tempo_infra.on_host.probes.cpu import Steal
from tempo_infra.on_host.probes.disk import Space
from tempo_infra.on_host.probes.docker import Kind
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks.hosts import (
    ABSENT,
    FAILED,
    GB,
    GIB,
    container,
    expected,
    having,
    healthy,
    postgres,
    reached,
)


def outcome(identifier: str, facts: object, wanted: Expected) -> Outcome:
    [check] = find(identifier)
    [finding] = check.evaluate(facts, wanted)  # type: ignore[arg-type]  # always Facts here
    return finding.outcome


def test_steal_fails_when_the_average_since_boot_agrees() -> None:
    facts = having(healthy(), "cpu.steal_loaded", Reading(Steal(12, 99, 2.8)))
    assert outcome("cpu.steal", facts, expected()) is Outcome.WARN
    facts = having(facts, "cpu.steal_since_boot_percent", Reading(11.0))
    assert outcome("cpu.steal", facts, expected()) is Outcome.FAIL


def test_steal_since_boot_is_judged_where_no_load_is_wanted() -> None:
    facts = having(healthy(), "cpu.steal_loaded", ABSENT)
    assert outcome("cpu.steal", facts, expected()) is Outcome.SKIP
    facts = having(facts, "cpu.steal_since_boot_percent", Reading(3.0))
    assert outcome("cpu.steal", facts, expected()) is Outcome.WARN


def test_a_clock_may_settle_for_a_minute_after_a_boot() -> None:
    facts = having(
        healthy(), "clock.discipline", Reading(Discipline(synchronised=False, max_error_ms=16_000))
    )
    facts = having(facts, "clock.uptime_s", Reading(40.0))
    assert outcome("clock.sync", facts, expected()) is Outcome.WARN


def test_a_clock_that_nothing_keeps_is_right_for_some_hours_only() -> None:
    alone: Reading[str] = Reading(None, "no chronyd, systemd-timesyncd or ntpd runs", not_wanted=True)
    facts = having(healthy(), "clock.keeper", alone)
    assert outcome("clock.sync", facts, expected()) is Outcome.WARN
    assert outcome("clock.sync", having(facts, "virt.container", Reading("lxc")), expected()) is Outcome.PASS
    hidden: Reading[str] = Reading(None, "the processes of other users can't be seen")
    assert outcome("clock.sync", having(healthy(), "clock.keeper", hidden), expected()) is Outcome.PASS


@pytest.mark.parametrize(
    ("engine", "uid", "wanted"),
    [
        (Reading("28.2.2"), 0, Outcome.PASS),
        (Reading(None, "no Docker engine is installed", not_wanted=True), 0, Outcome.SKIP),
        (Reading(None, "no answer after 8 s"), 0, Outcome.FAIL),
        (Reading(None, "uid 1000 may not ask the Docker engine"), 1000, Outcome.UNKNOWN),
    ],
)
def test_an_engine_that_does_not_answer_root_fails(engine: Reading[str], uid: int, wanted: Outcome) -> None:
    facts = having(having(healthy(), "docker.engine", engine), "system.uid", Reading(uid))
    assert outcome("docker.engine", facts, expected()) is wanted


@pytest.mark.parametrize(
    "identifier", ["postgres.settings", "postgres.vacuum", "temporal.shards", "disk.growth"]
)
def test_a_silent_engine_hides_no_database_where_none_should_be(identifier: str) -> None:
    facts = having(healthy(), "database", Reading(None, "`docker ps`: no answer"))
    assert outcome(identifier, facts, expected(Role.HISTORY)) is Outcome.SKIP
    assert outcome(identifier, facts, expected(Role.POSTGRESQL)) is Outcome.UNKNOWN


def test_a_host_with_one_port_closed_off_is_timed_by_another() -> None:
    silent = replace(reached("a", 1, 7234, "history", "no answer in 2 s"), times=FAILED)
    timed = reached("a", 0.4, 6934, "history membership")
    facts = having(healthy(), "network.reached", Reading((silent, timed)))
    [check] = find("net.rtt")
    [finding] = check.evaluate(facts, expected())
    assert (finding.outcome, finding.subject) == (Outcome.PASS, "a")


def test_each_container_is_a_finding_of_its_own() -> None:
    found = (container("frontend"), container("history", soft=1024, hard=1024), container("other"))
    stranger = replace(container("web", hard=10), project="shop")
    [check] = find("nofile.container")
    findings = check.evaluate(having(healthy(), "docker.containers", Reading((*found, stranger))), expected())
    assert [(one.subject, one.outcome) for one in findings] == [
        ("frontend", Outcome.PASS),
        ("history", Outcome.FAIL),
        ("other", Outcome.PASS),
    ]
    assert findings[1].found == "1024/1024"


def test_a_container_without_a_process_has_no_limits_to_miss() -> None:
    one = replace(container("history"), pid=0, state="restarting", nofile=FAILED)
    assert outcome(
        "nofile.container", having(healthy(), "docker.containers", Reading((one,))), expected()
    ) is (Outcome.SKIP)


def test_open_files_that_may_not_be_counted_spoil_nothing() -> None:
    one = replace(container("history"), files_in_use=FAILED)
    [check] = find("nofile.container")
    [finding] = check.evaluate(having(healthy(), "docker.containers", Reading((one,))), expected())
    assert finding.outcome is Outcome.PASS
    assert "permission denied" in finding.note


def test_postgresql_needs_what_it_is_configured_for() -> None:
    facts = having(healthy(), "docker.containers", Reading((container("postgresql", soft=4096),)))
    assert outcome("nofile.container", facts, expected()) is Outcome.PASS
    facts = having(facts, "postgres", Reading(postgres(files=4096)))
    assert outcome("nofile.container", facts, expected()) is Outcome.FAIL


def test_a_lab_with_a_lower_limit_passes_by_its_inventory() -> None:
    facts = having(healthy(), "docker.containers", Reading((container("history", soft=1999, hard=2000),)))
    assert outcome("nofile.container", facts, replace(expected(), nofile=2000)) is Outcome.PASS


def test_without_an_inventory_nothing_is_compared_with_resources() -> None:
    bare = Expected.for_class(built_in().classes["High-RAM"])
    facts = healthy()
    assert outcome("cpu.count", facts, bare) is Outcome.SKIP
    assert outcome("disk.size", facts, bare) is Outcome.SKIP
    assert outcome("mem.total", facts, bare) is Outcome.WARN  # 2 GiB a vCPU where the class wants 4
    assert outcome("mem.total", having(facts, "memory.total_bytes", Reading(16 * GIB)), bare) is Outcome.PASS


def test_hosts_without_the_database_need_less_room() -> None:
    facts = having(healthy(), "disk.space", Reading(Space(60 * GB, 11 * GB, 0, 0)))
    assert outcome("disk.space", facts, expected(Role.POSTGRESQL)) is Outcome.WARN
    assert outcome("disk.space", facts, expected(Role.FRONTEND)) is Outcome.PASS


def test_an_engine_that_is_not_there_is_no_missing_plugin() -> None:
    facts = having(having(healthy(), "docker.engine", ABSENT), "docker.compose", ABSENT)
    assert outcome("compose.version", facts, expected()) is Outcome.SKIP
    assert outcome("docker.version", facts, expected()) is Outcome.SKIP


def test_huge_pages_matter_where_postgresql_is() -> None:
    facts = having(healthy(), "kernel.thp", Reading("always"))
    assert outcome("kernel.thp", facts, expected(Role.HISTORY)) is Outcome.SKIP
    assert outcome("kernel.thp", facts, expected(Role.POSTGRESQL)) is Outcome.WARN


def test_an_engine_that_is_silent_is_told_with_what_fits_it() -> None:
    """A snap that is stopped is not mended by starting docker."""
    kind = Kind(answers=False, unfit=(Unfit("Docker is a snap here", "snap remove docker"),))
    facts = having(healthy(), "docker.engine", Reading(None, "Docker is a snap here"))
    [check] = find("docker.engine")
    [finding] = check.evaluate(having(facts, "docker.kind", Reading(kind)), expected())
    assert (finding.outcome, finding.note) == (Outcome.FAIL, "Docker is a snap here")
    assert finding.remedy == "snap remove docker"


def test_an_engine_without_rules_is_fit_for_services_in_their_hosts_network() -> None:
    facts = having(healthy(), "docker.kind", Reading(Kind(filters=False)))
    assert outcome("docker.kind", facts, expected()) is Outcome.FAIL
    assert outcome("docker.kind", facts, replace(expected(), shares_network=True)) is Outcome.PASS
