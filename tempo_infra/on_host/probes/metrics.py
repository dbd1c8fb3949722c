"""What Temporal's services and workers count themselves: shard locks, waiting tasks, polls, slots.

Asked twice, as far apart as the run allows: what happened between the two is the present; what was counted
since the service started is the rest.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host import fit
from tempo_infra.on_host.probes import exposition
from tempo_infra.on_host.probes.network import address_of
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.on_host.probes.docker import Container
    from tempo_infra.on_host.probes.exposition import Sample
    from tempo_infra.on_host.probes.roles import RolePort

LOOPBACK = "127.0.0.1"
MAX_QUEUES = 20
MAX_NAMESPACES, MAX_SLOTS = 100, 200  # whoever reaches a frontend makes more
# The server's own names (common/metrics/metric_defs.go).
SHARD_LOCK = "semaphore_latency_bucket"
POLLED = ("poll_success", "poll_timeouts")
BACKLOG = ("physical_approximate_backlog_count", "approximate_backlog_count")  # a version has either or both
BACKLOG_AGE = ("physical_approximate_backlog_age_seconds", "approximate_backlog_age_seconds")
PENDING = "service_pending_requests"
OF_ROLE = {
    "history": (SHARD_LOCK,),
    "matching": (*POLLED, *BACKLOG, *BACKLOG_AGE),
    "frontend": (PENDING,),
}
SLOTS, SLOTS_USED = "temporal_worker_task_slots_available", "temporal_worker_task_slots_used"
OF_WORKER = (SLOTS, SLOTS_USED)
SYSTEM = ("temporal_system", "temporal-system", "_unknown_")  # namespaces of the server itself
OWN_QUEUES = ("temporal_sys_", "temporal-sys-")


@dataclass(frozen=True, slots=True)
class Delays:
    """A histogram of waiting times, of which only the edges of its buckets are known."""

    count: int
    p50_ms: float  # at most
    p99_ms: float


@dataclass(frozen=True, slots=True)
class ShardLock:
    """How long updates of a shard wait for the one before them."""

    window_s: float
    window: Delays
    since_start: Delays


@dataclass(frozen=True, slots=True)
class Queue:
    """A task queue with tasks that wait."""

    namespace: str
    queue: str
    kind: str  # "Workflow" or "Activity"
    waiting: int
    oldest_s: float
    window_s: float
    polls: int  # that ended in the window, with a task or without


@dataclass(frozen=True, slots=True)
class Backlog:
    queues: tuple[Queue, ...]  # those with waiting tasks, the oldest first
    known: int  # how many queues of users this host has


@dataclass(frozen=True, slots=True)
class Polls:
    """Long polls that a frontend holds at this moment."""

    namespace: str
    workflow: int
    activity: int


@dataclass(frozen=True, slots=True)
class Slots:
    """What is free in a worker, by its own metrics."""

    worker: str  # host:port
    queue: str
    kind: str  # "WorkflowWorker", "ActivityWorker", ...
    available: int
    used: int


@dataclass(frozen=True, slots=True)
class Metrics:
    shard_lock: Reading[ShardLock]
    backlog: Reading[Backlog]
    polls: Reading[tuple[Polls, ...]]
    slots: Reading[tuple[Slots, ...]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer of one service, and when it came."""

    at_s: float
    samples: "tuple[Sample, ...]"


if TYPE_CHECKING:
    Answers = dict[str, Reading[Asked]]
    QueueKey = tuple[str, str, str]  # namespace, queue, kind


def ask_services(ports: "tuple[RolePort, ...]", containers: "Reading[tuple[Container, ...]]") -> "Answers":
    """Ask each Temporal service of this host for what is read of it; its container says where."""
    if containers.value is None:  # a silent engine, say: a host still knows which roles are not its own
        silent: "Reading[Asked]" = Reading(None, containers.unread, containers.not_wanted)
        return {one.role: silent for one in ports if one.role in OF_ROLE}
    pids = {one.service: one.pid for one in containers.value if one.ours}
    return {
        one.role: attempt(lambda one=one: _ask(one, pids.get(one.role, 0)))  # type: ignore[misc]  # bound now
        for one in ports
        if one.role in OF_ROLE
    }


def _ask(port: "RolePort", pid: int) -> Asked:
    if not pid:
        raise Unread(f"{port.role} does not run")
    wanted = OF_ROLE[port.role]
    samples = exposition.inside(pid, lambda: exposition.ask(LOOPBACK, port.metrics, wanted))
    return Asked(time.monotonic(), samples)


def read(before: "Answers", after: "Answers", workers: "tuple[str, ...]") -> Metrics:
    """Make figures of two rounds of answers, and ask the workers that were named."""

    def both(role: str) -> "tuple[Asked, Asked]":
        if role not in before:
            raise Unread(f"no {role} on this host", not_wanted=True)
        first, second = before[role], after[role]
        if first.value is None or second.value is None:
            missing = first if first.value is None else second
            raise Unread(missing.unread, not_wanted=missing.not_wanted)
        return first.value, second.value

    return Metrics(
        shard_lock=attempt(lambda: shard_lock(*both("history"))),
        backlog=attempt(lambda: backlog(*both("matching"))),
        polls=attempt(lambda: polls(both("frontend")[1].samples)),
        slots=attempt(lambda: _slots(workers)),
    )


def shard_lock(before: Asked, after: Asked) -> ShardLock:
    old, new = _buckets(before.samples), _buckets(after.samples)
    between = {edge: count - old.get(edge, 0.0) for edge, count in new.items()}
    return ShardLock(round(after.at_s - before.at_s, 2), delays(between), delays(new))


def _buckets(samples: "tuple[Sample, ...]") -> "dict[float, float]":
    """Add up the shard lock's buckets over priorities: edge in ms -> how many took at most that."""
    found: "dict[float, float]" = {}
    for one in samples:
        if one.name == SHARD_LOCK and one.labels.get("operation") == "ShardInfo":
            edge = float(one.labels.get("le", "inf")) * 1000
            if not 0 <= edge <= fit.LARGEST and edge != math.inf:
                continue
            found[edge] = found.get(edge, 0.0) + one.value
    return found


def delays(buckets: "dict[float, float]") -> Delays:
    """Return the edges below which half and 99 % lie; beyond the last edge, that edge."""
    total = buckets.get(float("inf"), 0.0)
    edges = sorted(edge for edge in buckets if edge != float("inf"))
    if not total or not edges:
        return Delays(0, 0.0, 0.0)

    def below(part: float) -> float:
        return next((edge for edge in edges if buckets[edge] >= part * total), edges[-1])

    return Delays(_whole(total), below(0.5), below(0.99))


def backlog(before: Asked, after: Asked) -> Backlog:
    window_s = round(after.at_s - before.at_s, 2)
    old, new = _by_queue(before.samples, *POLLED), _by_queue(after.samples, *POLLED)
    waiting = _largest(*(_by_queue(after.samples, name) for name in BACKLOG))
    ages = _largest(*(_by_queue(after.samples, name) for name in BACKLOG_AGE))
    found = [
        Queue(
            fit.text(namespace),
            fit.text(queue),
            fit.text(kind),
            _whole(count),
            round(ages.get((namespace, queue, kind), 0.0), 1),
            window_s,
            _whole(new.get((namespace, queue, kind), 0) - old.get((namespace, queue, kind), 0)),
        )
        for (namespace, queue, kind), count in waiting.items()
        if count > 0
    ]
    found.sort(key=lambda one: -one.oldest_s)
    return Backlog(tuple(found[:MAX_QUEUES]), len(set(new) | set(waiting)))


def _by_queue(samples: "tuple[Sample, ...]", *names: str) -> "dict[QueueKey, float]":
    """Add up over partitions, priorities and versions; of ages the largest counts."""
    found: "dict[QueueKey, float]" = {}
    for one in samples:
        labels = one.labels
        key = (labels.get("namespace", ""), labels.get("taskqueue", ""), labels.get("task_type", ""))
        if one.name in names and key[0] not in SYSTEM and not key[1].startswith(OWN_QUEUES):
            so_far = found.get(key, 0.0)
            found[key] = max(so_far, one.value) if one.name in BACKLOG_AGE else so_far + one.value
    return found


def _largest(*tables: "dict[QueueKey, float]") -> "dict[QueueKey, float]":
    return {key: max(table.get(key, 0.0) for table in tables) for table in tables for key in table}


def polls(samples: "tuple[Sample, ...]") -> "tuple[Polls, ...]":
    found: "dict[str, dict[str, float]]" = {}
    for one in samples:
        operation, namespace = one.labels.get("operation", ""), one.labels.get("namespace", "")
        if operation in ("PollWorkflowTaskQueue", "PollActivityTaskQueue") and namespace not in SYSTEM:
            found.setdefault(namespace, {})[operation] = one.value
    told = [
        Polls(
            fit.text(name),
            _whole(of.get("PollWorkflowTaskQueue", 0)),
            _whole(of.get("PollActivityTaskQueue", 0)),
        )
        for name, of in sorted(found.items())
    ]
    if len(told) > MAX_NAMESPACES:
        told.sort(key=lambda one: -one.workflow - one.activity)
    return tuple(told[:MAX_NAMESPACES])


def _slots(workers: "tuple[str, ...]") -> "tuple[Slots, ...]":
    if not workers:
        raise Unread("no worker's metrics were named; --worker-metrics HOST:PORT does", not_wanted=True)
    return _least_free(one for worker in workers for one in slots(worker, _of_worker(worker)))


def _least_free(found: "Iterable[Slots]") -> "tuple[Slots, ...]":
    """Return all, or of very many those in use with the fewest that are free."""
    every = tuple(found)
    if len(every) <= MAX_SLOTS:
        return every
    return tuple(sorted(every, key=lambda one: (not one.used, one.available))[:MAX_SLOTS])


def _of_worker(worker: str) -> "tuple[Sample, ...]":
    address, _, port = worker.rpartition(":")
    try:
        return exposition.ask(address_of(address.strip("[]")), int(port), OF_WORKER)
    except OSError as error:
        raise Unread(f"worker {worker}: {(error.strerror or str(error)).lower()}") from error


def slots(worker: str, samples: "tuple[Sample, ...]") -> "tuple[Slots, ...]":
    found: "dict[tuple[str, str], dict[str, float]]" = {}
    for one in samples:
        key = (one.labels.get("task_queue", ""), one.labels.get("worker_type", ""))
        found.setdefault(key, {})[one.name] = one.value
    if not found:
        raise Unread(f"worker {worker} tells nothing of its slots")
    return _least_free(
        Slots(
            worker, fit.text(queue), fit.text(kind), _whole(of.get(SLOTS, 0)), _whole(of.get(SLOTS_USED, 0))
        )
        for (queue, kind), of in sorted(found.items())
    )


def _whole(value: float) -> int:
    """Return a count; sums and differences of what services say can be none."""
    return round(min(max(0.0, value), fit.LARGEST))
