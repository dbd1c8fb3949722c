"""What Temporal counts itself: waits for shard locks, tasks that nobody takes, polls, workers' free slots."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TypeVar

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.database import ask_database
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_least,
    at_most,
    count,
    follow,
    judged,
    noting,
    number,
    skipped,
    unread,
)
from tempo_infra.on_host.probes.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.metrics import Backlog, Metrics, Polls, Queue, ShardLock, Slots

T = TypeVar("T")

LOCK_MS, LOCK_FAIL_MS = 50, 300  # p99; Temporal's own advice: below 5 ms is good, alert at 150 to 300
COUNTED = 100  # waits below which the window says less than what was counted since the start
STORED_S = 150  # what the database knows of finished tasks may be a minute old
WAITED_S = 10  # judgement: a task that waits longer is seen by people
POLLS_PERCENT = 80  # of the long polls that a frontend lets a namespace hold
POLLS = 1200  # frontend.namespaceCount, the server's default
_METRICS = "https://docs.temporal.io/references/cluster-metrics"
_WORKERS = "https://docs.temporal.io/develop/worker-performance"


def _told(facts: Facts, get: Callable[[Metrics], Reading[T]]) -> Reading[T]:
    """Return what services tell; before they are there, there is nothing to tell."""
    if facts.generation.value is None and facts.generation.not_wanted:
        return Reading(None, "not provisioned yet", not_wanted=True)
    return follow(facts.metrics, get)


@check(
    "temporal.shardlock",
    "updates of a shard don't queue behind each other",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"p99 of the wait for a shard's lock at most {LOCK_MS} ms; beyond {LOCK_FAIL_MS} ms it fails; with "
    f"fewer than {COUNTED} updates during the check, p99 since the service started, and it only warns",
    remedy="slow durable writes hold the locks: see disk.fsync; on a fast disk more shards help, and those "
    "only a new cluster can have",
    source=_METRICS,
)
def shard_lock(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(told: ShardLock) -> Finding:
        if told.window.count >= COUNTED:
            chosen, over = told.window, f"in {number(told.window_s, 's')}"
            found = at_most(chosen.p99_ms, LOCK_MS, fail=LOCK_FAIL_MS, unit="ms", label="p99 within")
        else:  # of the past, with each start and each outage in it: it takes more to be worth a warning
            chosen, over = told.since_start, "since its start"
            found = at_most(chosen.p99_ms, LOCK_FAIL_MS, unit="ms", label="p99 within")
        return noting(found, f"n={count(chosen.count)} {over}", **asdict(told))

    return judged(_told(facts, lambda part: part.shard_lock), judge, f"≤ {LOCK_MS} ms")


@check(
    "temporal.backlog",
    "workers take tasks as they come",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"no task waits in its queue for more than {WAITED_S} s by matching's own figures, nor for more "
    f"than {STORED_S} s in the database, where queues are that nobody polls",
    remedy="nobody polls: is the worker up, with this namespace and queue? It polls: more workers, slots or "
    "pollers (tempo-infra worker-options)",
    source=_WORKERS,
)
def backlog(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    loaded = _told(facts, lambda part: part.backlog)
    found: list[Finding] = []
    if loaded.value is not None:
        late = [_late(one) for one in loaded.value.queues if one.oldest_s > WAITED_S]
        found += late or [_on_time(loaded.value)]
    elif not loaded.not_wanted:
        found.append(unread(loaded, f"≤ {WAITED_S} s"))
    named = {one.subject for one in found if one.subject}
    stored = [
        one
        for one in _stored(facts, expected)
        if one.outcome is not Outcome.SKIP and one.subject not in named
    ]
    return (*found, *stored) or skipped("neither matching nor the database is here")


def _stored(facts: Facts, expected: Expected) -> tuple[Finding, ...]:
    reading = ask_database(facts, expected, lambda part: part.waiting)
    if reading.value is None:
        return (unread(reading, f"≤ {STORED_S} s"),)
    late = tuple(
        Finding(
            outcome=Outcome.WARN,
            subject=f"{one.namespace}/{one.queue} {one.kind.lower()}",
            found=f"oldest {number(one.oldest_s, 's')}, {count(one.count)} wait",
            wanted=f"≤ {STORED_S} s",
            note="in the database",
            evidence=asdict(one),
        )
        for one in reading.value
        if one.oldest_s > STORED_S
    )
    good = Finding(outcome=Outcome.PASS, subject="database", found="no old task", wanted=f"≤ {STORED_S} s")
    return late or (good,)


def _late(one: Queue) -> Finding:
    polled = f"polled {one.polls} times" if one.polls else "nobody polled it"
    return Finding(
        outcome=Outcome.WARN,
        subject=f"{one.namespace}/{one.queue} {one.kind.lower()}",
        found=f"oldest {number(one.oldest_s, 's')}, {count(one.waiting)} wait",
        wanted=f"≤ {WAITED_S} s",
        note=f"{polled} in {number(one.window_s, 's')}",
        evidence=asdict(one),
    )


def _on_time(told: Backlog) -> Finding:
    waiting = sum(one.waiting for one in told.queues)
    return Finding(
        outcome=Outcome.PASS,
        found=f"{count(waiting)} tasks wait" if waiting else "no task waits",
        wanted=f"≤ {WAITED_S} s",
        note=f"{told.known} task queues seen",
        evidence=asdict(told),
    )


@check(
    "temporal.pollers",
    "a namespace may hold more long polls",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants=f"at most {POLLS_PERCENT} % of {POLLS} polls a namespace at each frontend",
    remedy="fewer pollers in each worker, or a larger frontend.namespaceCount: polls beyond it are refused",
    source=_WORKERS,
)
def pollers(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    reading = _told(facts, lambda part: part.polls)
    if reading.value is None:
        return unread(reading)
    if not reading.value:
        return Finding(
            outcome=Outcome.PASS, found="no worker polls", wanted=f"≤ {POLLS * POLLS_PERCENT // 100}"
        )
    return tuple(_polls(one) for one in reading.value)


def _polls(one: Polls) -> Finding:
    held = at_most(one.workflow + one.activity, POLLS * POLLS_PERCENT // 100)
    found = replace(held, subject=one.namespace, found=f"{one.workflow} workflow, {one.activity} activity")
    return noting(found, "the server's own among them", **asdict(one))


@check(
    "temporal.slots",
    "workers have free slots",
    severity=Severity.MAJOR,
    phase=Phase.AFTER,
    wants="named by --worker-metrics HOST:PORT: at least one free slot of each kind in use",
    remedy="activities that hang keep their slots: which have no timeout? Else more workers or slots",
    source=_WORKERS,
)
def slots(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    del expected
    reading = follow(facts.metrics, lambda part: part.slots)
    if reading.value is None:
        return unread(reading, "≥ 1")
    used = tuple(_slots(one) for one in reading.value if one.available or one.used)
    return used or skipped("the workers that were named have no slots")


def _slots(one: Slots) -> Finding:
    free = at_least(one.available, 1, fail=1)
    kind = one.kind.removesuffix("Worker").lower()
    used = f"{one.available} free, {one.used} used"
    found = replace(free, subject=f"{one.worker} {one.queue} {kind}", found=used)
    return noting(found, "", **asdict(one))
