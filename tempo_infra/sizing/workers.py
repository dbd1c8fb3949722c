"""Options of a worker process: from its vCPUs and memory to slots, pollers and cache. Starting points.

A worker runs the operator's own code, so nothing of this is rendered or deployed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.sizing.settings import GIB, MIB
from tempo_infra.sizing.temporal import NAMESPACE_COUNT, POLLER_SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping

POLLERS = 16  # 2 reached 0.73 of its rate at 0 ms and 0.65 at 5 ms a flush (docs/benchmarks/sizing.md)
LEAST_POLLERS = 2
LEAST_MEMORY = 256 * MIB
SOURCE = "https://docs.temporal.io/develop/worker-performance"
MOST_VCPU = 1024


class Sdk(StrEnum):
    GO = "go"
    PYTHON = "python"
    JAVA = "java"
    TYPESCRIPT = "typescript"
    DOTNET = "dotnet"


class Activities(StrEnum):
    """What activities mostly do: wait for others, or compute."""

    IO = "io"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Rule:
    """How one SDK uses a machine. Slots are per vCPU and process, the cache per GiB of a process."""

    process: str  # one a "machine" or one a "vcpu"
    workflow_slots: int
    workflow_most: int
    io_slots: int
    cpu_slots: int
    activity_most: int
    cached_per_gib: int
    cached_most: int
    overhead_bytes: int  # of a process before it caches anything
    slots_default: tuple[int, int]  # the SDK's own: workflow tasks, activities
    why: str


RULES: Mapping[Sdk, Rule] = {
    Sdk.GO: Rule(
        "machine", 64, 1000, 100, 2, 1000, 1000, 10_000, 64 * MIB, (1000, 1000), "goroutines use every vCPU"
    ),
    Sdk.JAVA: Rule(
        "machine", 50, 500, 100, 2, 1000, 600, 5000, 256 * MIB, (200, 200), "a cached workflow holds threads"
    ),
    Sdk.DOTNET: Rule(
        "machine", 50, 1000, 100, 2, 1000, 1000, 10_000, 128 * MIB, (100, 100), "tasks use every vCPU"
    ),
    Sdk.PYTHON: Rule(
        "vcpu",
        50,
        50,
        100,
        2,
        100,
        300,
        1000,
        128 * MIB,
        (100, 100),
        "the interpreter lock: one process a vCPU",
    ),
    Sdk.TYPESCRIPT: Rule(
        "vcpu",
        40,
        120,
        100,
        2,
        100,
        600,
        5000,
        200 * MIB,
        (40, 100),
        "one event loop a process: one process a vCPU",
    ),
}


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What one process is given, and how many of them."""

    sdk: Sdk
    activities: Activities
    processes: int
    workflow_slots: int
    activity_slots: int
    cached_workflows: int
    workflow_pollers: int
    activity_pollers: int
    workflow_threads: int  # Java only
    reasons: tuple[str, ...]

    @property
    def pollers(self) -> int:
        """Long polls of all processes together, for `temporal.pollers` of the inventory."""
        return self.processes * (self.workflow_pollers + self.activity_pollers)

    @property
    def frontends(self) -> int:
        """How many frontends these polls need, when they are of one namespace."""
        return -(-self.pollers // pollers_per_frontend())


def pollers_per_frontend() -> int:
    return int(NAMESPACE_COUNT * POLLER_SHARE)


def worker_options(sdk: Sdk, vcpu: int, memory_bytes: int, activities: Activities) -> WorkerOptions:
    """Return the options for a machine that runs nothing but this worker. InputError when it is too small."""
    rule = RULES[sdk]
    processes, cores = (1, vcpu) if rule.process == "machine" else (vcpu, 1)
    own = memory_bytes // processes - rule.overhead_bytes
    if not 1 <= vcpu <= MOST_VCPU or own < LEAST_MEMORY:
        needed = processes * (rule.overhead_bytes + LEAST_MEMORY)
        raise InputError(
            f"{memory_bytes // MIB} MiB for {processes} {sdk} processes leave less than"
            f" {LEAST_MEMORY // MIB} MiB for each one's workflows",
            remedy=f"give the machine {-(-needed // MIB)} MiB, or fewer vCPUs to the worker",
        )
    workflow = min(rule.workflow_slots * cores, rule.workflow_most)
    each = rule.io_slots if activities is Activities.IO else rule.cpu_slots
    activity = min(each * cores, rule.activity_most)
    threads = 2 * workflow
    cached = max(min(own * rule.cached_per_gib // GIB, rule.cached_most), workflow)
    return WorkerOptions(
        sdk=sdk,
        activities=activities,
        processes=processes,
        workflow_slots=workflow,
        activity_slots=activity,
        cached_workflows=min(cached, threads) if sdk is Sdk.JAVA else cached,
        workflow_pollers=_pollers(workflow),
        activity_pollers=_pollers(activity),
        workflow_threads=threads if sdk is Sdk.JAVA else 0,
        reasons=_reasons(rule, vcpu, memory_bytes, processes, activities),
    )


def _pollers(slots: int) -> int:
    """Fewer pollers than slots: a task that is polled must find a free slot."""
    return max(min(POLLERS, slots // 2), LEAST_POLLERS)


def _reasons(
    rule: Rule, vcpu: int, memory_bytes: int, processes: int, activities: Activities
) -> tuple[str, ...]:
    kind = (
        f"{rule.io_slots} a vCPU, as they wait"
        if activities is Activities.IO
        else f"{rule.cpu_slots} a vCPU, as they compute"
    )
    count = f"{processes} process{'es' * (processes > 1)}"
    default_workflow, default_activity = rule.slots_default
    workflow = f"{rule.workflow_slots} a vCPU, at most {rule.workflow_most}"
    return (
        f"{count} for {vcpu} vCPU and {memory_bytes / GIB:.4g} GiB: {rule.why}",
        f"workflow tasks: {workflow} a process (SDK: {default_workflow}, article: 50)",
        f"activities: {kind}, at most {rule.activity_most} a process (SDK: {default_activity}, article: 100)",
        f"pollers: {POLLERS}, at most half the slots; the SDK's 2 reached about 0.7 of the rate in the bench",
        f"cache: {rule.cached_per_gib} workflows a GiB of what the process has beside its own needs",
        f"all pollers of a namespace: at most {pollers_per_frontend()} a frontend",
    )
