"""A namespace of its own for the workload: made if absent, waited for until every service knows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    RegisterNamespaceRequest,
)
from temporalio.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from temporalio.client import Client

RETENTION_S: Final = 24 * 60 * 60  # the least that the server accepts by default is 1 h
_POLL_S: Final = 0.5


async def ensure_namespace(client: Client, name: str, task_queue: str) -> bool:
    """Make the namespace if it is absent and wait until it is usable; return whether it was made.

    Services cache the list of namespaces and learn of a new one after up to 10 s. The wait has no end of
    its own: the caller bounds it.
    """
    made = not await _exists(client, name)
    if made:
        await _register(client, name)
    while not await _known_to_matching(client, name, task_queue):  # noqa: ASYNC110 - a remote service: no event to wait for
        await asyncio.sleep(_POLL_S)
    return made


async def _exists(client: Client, name: str) -> bool:
    request = DescribeNamespaceRequest(namespace=name)
    return await _answers(client.workflow_service.describe_namespace(request, retry=True))


async def _known_to_matching(client: Client, name: str, task_queue: str) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=name,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    return await _answers(client.workflow_service.describe_task_queue(request, retry=True))


async def _register(client: Client, name: str) -> None:
    request = RegisterNamespaceRequest(
        namespace=name,
        description="tempo-infra smoke: proves that workflows survive a crash; safe to delete",
    )
    request.workflow_execution_retention_period.FromSeconds(RETENTION_S)
    try:
        await client.workflow_service.register_namespace(request, retry=True)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:  # another run was faster
            raise


async def _answers(call: Awaitable[object]) -> bool:
    try:
        await call
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True
