"""The Python snippet of `worker-options` runs: a real worker, a real server, a workflow through it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from tempo_infra.report.worker_options import snippet
from tempo_infra.sizing.settings import GIB
from tempo_infra.sizing.workers import Activities, Sdk, worker_options
from tests.unit.workload.greeting import Greeting, greet

if TYPE_CHECKING:
    from tests.unit.workload.devserver import DevServer


@pytest.mark.thorough
@pytest.mark.parametrize("activities", Activities)
def test_a_worker_made_by_the_snippet_does_its_work(server: DevServer, activities: Activities) -> None:
    code = snippet(worker_options(Sdk.PYTHON, 2, 4 * GIB, activities))
    assert asyncio.run(through(server.address, code, f"snippet-{activities}")) == ["hello 0", "hello 1"]


async def through(address: str, code: str, queue: str) -> list[Any]:
    client = await Client.connect(address)
    names: dict[str, Any] = {
        "client": client,
        "task_queue": queue,
        "workflows": [Greeting],
        "activities": [greet],
        "Worker": Worker,
        "ThreadPoolExecutor": ThreadPoolExecutor,
        "PollerBehaviorSimpleMaximum": PollerBehaviorSimpleMaximum,
    }
    exec(compile(code, "<snippet>", "exec"), names)  # noqa: S102  # what is printed is what is run
    async with names["worker"]:
        runs = [
            client.execute_workflow(Greeting.run, str(number), id=f"{queue}-{number}", task_queue=queue)
            for number in range(2)
        ]
        return list(await asyncio.gather(*runs))
