"""Starting renewals and learning how they end, also while the cluster is being disturbed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from tempo_infra.errors import StepFailedError
from tempo_infra.on_host import remedies
from tempo_infra.workload.account import COMPLETED, Expected
from tempo_infra.workload.card import Subscription
from tempo_infra.workload.complaints import BEHIND_IT
from tempo_infra.workload.subscription import SubscriptionWorkflow

if TYPE_CHECKING:
    from collections.abc import Callable

Handle = WorkflowHandle[SubscriptionWorkflow, str]

_TASK_TIMEOUT: Final = timedelta(seconds=5)  # of a workflow task: so long is one lost with a killed worker
_RETRY_S: Final = 0.2
_FINAL: Final = {  # asking again can't help; anything else may be a service that is just starting
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.UNIMPLEMENTED,
    RPCStatusCode.FAILED_PRECONDITION,
}


@dataclass(frozen=True, slots=True)
class Renewals:
    """How the renewals of one run are started; `trouble` hears of answers that are waited out."""

    client: Client
    task_queue: str
    retry_interval_s: float
    heartbeat_timeout_s: float
    execution_timeout_s: float  # so that none outlives the run for long
    trouble: Callable[[str], None]

    async def start(self, one: Expected) -> Handle:
        """Start the workflow once, however often that must be tried; StepFailedError when it is refused."""
        while True:
            try:
                return await self._start(one)
            except WorkflowAlreadyStartedError:  # an earlier try arrived, only its answer got lost
                return self.client.get_workflow_handle_for(SubscriptionWorkflow.run, one.workflow_id)
            except RPCError as error:
                await self._wait_out(error)

    async def end_of(self, handle: Handle) -> str:
        """Wait for the end: "completed" or "failed: <type of the error>"."""
        while True:
            try:
                await handle.result()
            except WorkflowFailureError as failure:
                return _kind_of(failure)
            except RPCError as error:
                await self._wait_out(error)
            else:
                return COMPLETED

    async def _start(self, one: Expected) -> Handle:
        subscription = Subscription(
            user_id=one.workflow_id,
            card=one.card,
            period=f"{datetime.now(UTC):%Y-%m}",
            retry_interval_s=self.retry_interval_s,
            heartbeat_timeout_s=self.heartbeat_timeout_s,
        )
        return await self.client.start_workflow(
            SubscriptionWorkflow.run,
            subscription,
            id=one.workflow_id,
            task_queue=self.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            execution_timeout=timedelta(seconds=self.execution_timeout_s),
            task_timeout=_TASK_TIMEOUT,
        )

    async def _wait_out(self, error: RPCError) -> None:
        if error.status in _FINAL:
            words = f"{error.status.name}: {error.message}"
            raise StepFailedError(
                f"the frontend refused: {words}", remedy=remedies.remedy(BEHIND_IT, words)
            ) from error
        self.trouble(f"{error.status.name}: {error.message}")
        await asyncio.sleep(_RETRY_S)


def _kind_of(failure: WorkflowFailureError) -> str:
    cause: BaseException = failure.cause
    if isinstance(cause, ActivityError) and cause.cause:
        cause = cause.cause
    kind = cause.type if isinstance(cause, ApplicationError) else type(cause).__name__
    return f"failed: {kind}"
