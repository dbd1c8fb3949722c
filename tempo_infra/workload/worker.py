"""One worker process: `python -m tempo_infra.workload.worker ADDRESS NAMESPACE TASK_QUEUE LEDGER`.

It ends when its standard input does, so that it can't outlive whoever started it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.worker import Worker

from tempo_infra.workload.billing import Billing
from tempo_infra.workload.ledger import Ledger
from tempo_infra.workload.subscription import SubscriptionWorkflow

MAX_CONCURRENT: Final = 50  # activities and workflow tasks of one worker: the load stays small
CONNECT_S: Final = 60.0
_ARGUMENTS: Final = 4


async def work(address: str, namespace: str, task_queue: str, ledger: Ledger) -> None:
    """Serve the task queue until standard input ends."""
    async with asyncio.timeout(CONNECT_S):  # else one whose parent was killed meanwhile would stay
        client = await Client.connect(address, namespace=namespace, identity=f"smoke-worker-{os.getpid()}")
    billing = Billing(ledger)
    worker = Worker(
        client,
        task_queue=task_queue,
        workflows=[SubscriptionWorkflow],
        activities=[billing.charge_credit_card, billing.send_failure_email],
        max_concurrent_activities=MAX_CONCURRENT,
        max_concurrent_workflow_tasks=MAX_CONCURRENT,
        # without these, a killed worker's tasks wait 10 s, and heartbeats come too rarely to tell soon
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        max_heartbeat_throttle_interval=timedelta(seconds=1),
    )
    async with worker:
        ledger.worker_ready(os.getpid())
        await _end_of_input()


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def main() -> None:
    """Read the arguments and work."""
    if len(sys.argv) != _ARGUMENTS + 1:
        sys.exit("usage: python -m tempo_infra.workload.worker ADDRESS NAMESPACE TASK_QUEUE LEDGER")
    address, namespace, task_queue, path = sys.argv[1:]
    asyncio.run(work(address, namespace, task_queue, Ledger(Path(path))))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads were seen to abort the interpreter's own way out
