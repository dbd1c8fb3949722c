"""From a symptom to causes: supported, ruled out or not measurable; what wasn't read rules nothing out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.checks import CHECKS, find, judge
from tempo_infra.checks.diagnosis import SYMPTOMS, Diagnosed, Standing, causes, checks_for, diagnose
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.facts import Facts
from tempo_infra.on_host.probes.cpu import Steal
from tempo_infra.on_host.probes.metrics import Queue, Slots
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.on_host.probes.roles import RoleHealth
from tests.unit.checks.hosts import (
    ABSENT,
    FAILED,
    expected,
    fsync,
    having,
    healthy,
    metrics,
    reached,
    with_database,
)

SYMPTOM = "context-deadline-exceeded"
SLOW_DISK = having(with_database(), "fsync", Reading(fsync(p50_us=9000)))
FAR = having(healthy(), "network.reached", Reading((reached("db-1", 30, 5432, "postgresql"),)))
DOWN = having(healthy(), "roles", Reading((RoleHealth("history", 7234, "connection refused"),)))

LOCKED = replace(healthy(), metrics=Reading(metrics(p99_ms=500)))
UNSERVED = replace(
    healthy(), metrics=Reading(metrics(queues=(Queue("billing", "q", "Workflow", 7, 90, 9, 0),)))
)
NO_SLOT = having(healthy(), "metrics.slots", Reading((Slots("10.0.0.9:9090", "q", "ActivityWorker", 0, 50),)))


def told(history: Facts, database: Facts) -> dict[str, Diagnosed]:
    only = checks_for(SYMPTOM)
    hosts = {
        "history-1": judge(history, expected(Role.HISTORY), only=only),
        "db-1": judge(database, expected(Role.POSTGRESQL), only=only),
    }
    return {one.cause: one for one in diagnose(SYMPTOM, hosts)}


@pytest.mark.parametrize(
    ("history", "database", "cause"),
    [
        (healthy(), SLOW_DISK, "durable writes are slow"),
        (
            having(healthy(), "cpu.steal_loaded", Reading(Steal(8, 99, 3))),
            with_database(),
            "the hypervisor takes",
        ),
        (FAR, with_database(), "the hosts don't reach each other, or slowly"),
        (DOWN, with_database(), "a service is down or not a member"),
        (LOCKED, with_database(), "calls wait for shard locks"),
        (UNSERVED, with_database(), "no worker polls a task queue"),
        (NO_SLOT, with_database(), "all slots of the workers are taken"),
    ],
)
def test_exactly_the_cause_that_the_evidence_shows_is_supported(
    history: Facts, database: Facts, cause: str
) -> None:
    found = told(history, database)
    supported = [name for name, one in found.items() if one.standing is Standing.SUPPORTED]
    assert len(supported) == 1
    assert supported[0].startswith(cause)
    first = next(iter(found.values()))
    assert first.cause == supported[0]
    assert first.evidence
    assert first.next


def test_a_healthy_cluster_rules_out_what_can_be_ruled_out() -> None:
    found = told(healthy(), with_database())
    standing = {one.cause: one.standing for one in found.values()}
    open_questions = [name for name, one in standing.items() if one is Standing.NOT_MEASURABLE]
    assert open_questions == [
        "workers are far from the frontend",
        "sessions of the database wait for each other's locks",
        "all slots of the workers are taken",
    ]
    assert Standing.SUPPORTED not in standing.values()
    assert all(found[name].next for name in open_questions)


@pytest.mark.parametrize("reading", [FAILED, ABSENT])
def test_what_was_not_read_rules_nothing_out(reading: Reading[object]) -> None:
    database = having(having(with_database(), "fsync", reading), "postgres", ABSENT)
    history = having(healthy(), "fsync", reading)
    assert told(history, database)["durable writes are slow"].standing is Standing.NOT_MEASURABLE
    steal = having(having(healthy(), "cpu.steal_loaded", reading), "cpu.steal_since_boot_percent", reading)
    found = told(steal, having(with_database(), "cpu.steal_loaded", reading))
    assert found["the hypervisor takes CPU time away"].standing is Standing.NOT_MEASURABLE


def test_one_host_that_was_not_read_leaves_the_question_open() -> None:
    found = told(having(healthy(), "cpu.steal_loaded", FAILED), with_database())
    assert found["the hypervisor takes CPU time away"].standing is Standing.NOT_MEASURABLE


def test_every_cause_names_checks_that_there_are() -> None:
    for symptom in SYMPTOMS:
        for cause in causes(symptom):
            for check in cause.checks:
                assert find(check)[0] in CHECKS
            assert cause.otherwise


def test_an_unknown_symptom_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError) as caught:
        causes("slow")
    assert SYMPTOM in caught.value.remedy


def test_a_part_of_the_checks_rules_nothing_out() -> None:
    """In a container the kernel's log is not to be seen: no swap alone doesn't prove that memory sufficed."""
    inside = having(healthy(), "virt.container", Reading("lxc"))
    found = told(inside, having(with_database(), "virt.container", Reading("lxc")))
    assert found["memory ran out, or was swapped"].standing is Standing.NOT_MEASURABLE
