"""The workflow by itself, on a real server."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

from tempo_infra.workload.billing import Billing
from tempo_infra.workload.card import Card, Subscription
from tempo_infra.workload.ledger import Ledger
from tempo_infra.workload.subscription import SubscriptionWorkflow

pytestmark = pytest.mark.thorough

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.unit.workload.devserver import DevServer

    Scene = Callable[[Client, str], Awaitable[None]]


def play(server: DevServer, activities: list[Callable[..., object]], scene: Scene) -> None:
    """Run a scene with a worker of this process beside it."""

    async def run() -> None:
        client = await Client.connect(server.address)
        queue = f"test-{uuid.uuid4()}"
        async with Worker(client, task_queue=queue, workflows=[SubscriptionWorkflow], activities=activities):
            await asyncio.wait_for(scene(client, queue), 20)

    asyncio.run(run())


def billing(tmp_path: Path) -> tuple[Ledger, list[Callable[..., object]]]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    activities = Billing(ledger)
    return ledger, [activities.charge_credit_card, activities.send_failure_email]


async def pending_retry(handle: WorkflowHandle[SubscriptionWorkflow, str]) -> timedelta:
    """Wait until the first attempt has failed; return how far away the second is."""
    while True:
        described = await handle.describe()
        for pending in described.raw_description.pending_activities:
            if pending.attempt == 2:
                return pending.scheduled_time.ToDatetime(UTC) - datetime.now(UTC)
        await asyncio.sleep(0.1)


def test_a_declined_card_is_tried_again_after_24_hours(server: DevServer, tmp_path: Path) -> None:
    ledger, activities = billing(tmp_path)

    async def scene(client: Client, queue: str) -> None:
        subscription = Subscription("user-1", Card.DECLINED_ONCE, "2026-11")
        handle = await client.start_workflow(
            SubscriptionWorkflow.run, subscription, id=queue, task_queue=queue
        )
        assert abs(await pending_retry(handle) - timedelta(hours=24)) < timedelta(minutes=1)
        await handle.terminate()

    play(server, activities, scene)
    assert len(ledger.rows().attempts) == 1


def test_three_refusals_send_one_email_and_fail_with_the_banks_answer(
    server: DevServer, tmp_path: Path
) -> None:
    ledger, activities = billing(tmp_path)

    async def scene(client: Client, queue: str) -> None:
        subscription = Subscription("user-1", Card.DECLINED, "2026-11", retry_interval_s=0.1)
        with pytest.raises(WorkflowFailureError) as failure:
            await client.execute_workflow(SubscriptionWorkflow.run, subscription, id=queue, task_queue=queue)
        assert kind_of(failure.value) == "CardDeclined"

    play(server, activities, scene)
    rows = ledger.rows()
    assert (len(rows.attempts), len(rows.charges), len(rows.emails)) == (3, 0, 1)


def test_an_email_that_cannot_be_sent_does_not_hide_the_banks_answer(
    server: DevServer, tmp_path: Path
) -> None:
    _, (charge, _) = billing(tmp_path)

    @activity.defn(name="SendFailureEmail")
    async def send_failure_email(subscription: Subscription) -> None:
        raise ApplicationError("no mail server", type="NoMail", non_retryable=True)

    async def scene(client: Client, queue: str) -> None:
        subscription = Subscription("user-1", Card.DECLINED, "2026-11", retry_interval_s=0.1)
        with pytest.raises(WorkflowFailureError) as failure:
            await client.execute_workflow(SubscriptionWorkflow.run, subscription, id=queue, task_queue=queue)
        assert kind_of(failure.value) == "CardDeclined"

    play(server, [charge, send_failure_email], scene)


def kind_of(failure: WorkflowFailureError) -> str | None:
    assert isinstance(failure.cause, ActivityError)
    assert isinstance(failure.cause.cause, ApplicationError)
    return failure.cause.cause.type
