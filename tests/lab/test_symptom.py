"""`--symptom context-deadline-exceeded` with real causes: taken slots, no worker at all, a slow disk."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab import faults
from lab.hosts import Host, Lab
from tempo_infra.components import port
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.topology import instances, store
from tests.lab.conftest import Inventory

pytestmark = pytest.mark.faults  # minutes on a busy machine

SYMPTOM = "context-deadline-exceeded"
NAMESPACE, QUEUE, NOBODY = "billing", "symptom", "nobody-polls-this"
METRICS_PORT = 9464
COMPOSE = "docker compose -f /var/lib/tempo-infra/current/docker-compose.yml"
DATABASE = "tempo-infra-postgresql-1"
COMMIT = "select pg_logical_emit_message(true, 'symptom', '')"  # writes to the log, and to no table
COMMITTING = ("pgbench", "-n", "-U", "postgres", "-T", "10", "-f", "-", "temporal")
SEEN_S = 150  # matching tells of its queues about once a minute

# One slot, taken by an activity that never ends: the worker is up and polls no more.
WORKER = """
import asyncio, sys, threading
from datetime import timedelta
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

@activity.defn
async def hang() -> None:
    await asyncio.sleep(3600)

@workflow.defn
class Symptom:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(hang, start_to_close_timeout=timedelta(hours=1))

async def main(address, metrics):
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=metrics)))
    client = await Client.connect(address, namespace="billing", runtime=runtime)
    async with Worker(client, task_queue="symptom", workflows=[Symptom], activities=[hang],
                      max_concurrent_activities=1, workflow_runner=UnsandboxedWorkflowRunner()):
        for number in range(3):
            await client.start_workflow(Symptom.run, id=f"symptom-{number}", task_queue="symptom",
                                        execution_timeout=timedelta(minutes=10))
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def diagnosis(inventory: Inventory, *words: str) -> dict[str, dict[str, Any]]:
    """Standing and evidence of each cause, by the cause."""
    ran = inventory.run("check-host", "--symptom", SYMPTOM, "--format", "json", *words)
    report = json.loads(ran.out)
    assert [host["error"] for host in report["hosts"]] == [""] * len(report["hosts"])
    return {one["cause"]: one for one in report["diagnosis"]["causes"]}


def standing(found: dict[str, dict[str, Any]], words: str) -> str:
    [one] = [one["standing"] for cause, one in found.items() if words in cause]
    return str(one)


@pytest.fixture
def frontend(lab: Lab, cluster: Inventory) -> Host:
    return lab.host(instances(load(cluster.path), Role.FRONTEND)[0].host.name)


@contextmanager
def stuck_worker(frontend: Host) -> Iterator[str]:
    """A worker on this machine, as its hosts see it: by the first address of their network."""
    here = ".".join([*frontend.internal_address.split(".")[:3], "1"])
    address = f"{frontend.internal_address}:{port('frontend', 'grpc')}"
    words = [sys.executable, "-c", WORKER, address, f"{here}:{METRICS_PORT}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "up\n"
            time.sleep(2)
            yield f"{here}:{METRICS_PORT}"
        finally:
            worker.kill()
            temporal(frontend, f"workflow terminate -n {NAMESPACE} --yes --query \"WorkflowType='Symptom'\"")


def temporal(frontend: Host, words: str) -> None:
    frontend.must(
        ["sh", "-c", f"{COMPOSE} --profile tools run --rm -T admin-tools temporal {words}"], timeout=90
    )


def test_a_worker_whose_slots_are_taken_is_found_by_its_own_metrics(
    cluster: Inventory, frontend: Host
) -> None:
    with stuck_worker(frontend) as metrics:
        found = diagnosis(cluster, "--quick", "--worker-metrics", metrics)
        without = diagnosis(cluster, "--quick")
    assert standing(found, "all slots") == "supported"
    [told] = [one for cause, one in found.items() if "all slots" in cause]
    assert any("0 free, 1 used" in line for line in told["evidence"])
    assert standing(without, "all slots") == "not measurable"
    assert standing(found, "a service is down") == "ruled out"


def test_a_queue_that_nobody_polls_is_found(cluster: Inventory, frontend: Host) -> None:
    start = (
        f"workflow start -n {NAMESPACE} --task-queue {NOBODY} --type X --workflow-id nobody --run-timeout 5m"
    )
    temporal(frontend, start)
    assert until(lambda: names(diagnosis(cluster, "--quick"), NOBODY))  # what a test before left is also old


def names(found: dict[str, dict[str, Any]], queue: str) -> bool:
    """Whether a queue that nobody polls is taken for a cause, and named."""
    [told] = [one for cause, one in found.items() if "no worker polls" in cause]
    plain = queue.replace("-", "_")
    return told["standing"] == "supported" and any(
        plain in line.replace("-", "_") for line in told["evidence"]
    )


def test_slow_durable_writes_are_found_by_the_databases_own_counters(cluster: Inventory, lab: Lab) -> None:
    """The lab's image can hold back each fsync; the container is recreated with that switched on."""
    host = lab.host(store(load(cluster.path)).writer.name)
    slow = '{services: {postgresql: {environment: {LAB_SLOW_FSYNC: "1"}}}}'
    up = "up -d --no-deps --wait postgresql"
    host.must(["sh", "-c", "cat > /root/slow.yml"], input=slow)
    host.must(["sh", "-c", f"{COMPOSE} -f /root/slow.yml {up}"], timeout=120)
    try:
        with faults.slow_fsync(host, DATABASE, 60):
            host.must(["docker", "exec", "-i", DATABASE, *COMMITTING], input=COMMIT)
            found = diagnosis(cluster, "--quick")
    finally:
        host.must(["sh", "-c", f"rm /root/slow.yml && {COMPOSE} {up}"], timeout=120)
    assert standing(found, "durable writes are slow") == "supported"


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + SEEN_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(5)
    return True
