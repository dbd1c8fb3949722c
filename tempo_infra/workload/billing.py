"""The activities: charge the card, send the failure e-mail. Each leaves its trace in the ledger."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from tempo_infra.workload.card import CARD_DECLINED, Answer, Card, Subscription

if TYPE_CHECKING:
    from tempo_infra.workload.ledger import Ledger

_POLL_S: Final = 0.2


class Billing:
    """What the workflow does to the outside world; the ledger is the bank and the mail service."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn(name="ChargeCreditCard")
    async def charge_credit_card(self, subscription: Subscription) -> str:
        """Charge the card once for this period, however often this is called; return the receipt's key."""
        info = activity.info()
        workflow_id = _workflow_id(info)
        key = idempotency_key(workflow_id, subscription.period)
        attempt_id = self._ledger.begin(key, workflow_id, info.attempt, os.getpid())
        if subscription.card is Card.HELD:
            await self._until_gate_opens(attempt_id)
        if self._ledger.charge(attempt_id, subscription.card) is Answer.DECLINED:
            raise ApplicationError("the bank declined the card", type=CARD_DECLINED)
        return key

    @activity.defn(name="SendFailureEmail")
    async def send_failure_email(self, subscription: Subscription) -> None:
        """Tell the customer, once."""
        workflow_id = _workflow_id(activity.info())
        self._ledger.email(idempotency_key(workflow_id, subscription.period), workflow_id, os.getpid())

    async def _until_gate_opens(self, attempt_id: int) -> None:
        try:
            while not self._ledger.gate_is_open():
                activity.heartbeat()
                await asyncio.sleep(_POLL_S)
        except asyncio.CancelledError:  # Temporal gave this attempt up, or the worker is being stopped
            self._ledger.abandon(attempt_id)
            raise


def _workflow_id(info: activity.Info) -> str:
    if info.workflow_id is None:
        raise ApplicationError("this activity belongs to a workflow", non_retryable=True)
    return info.workflow_id


def idempotency_key(workflow_id: str, period: str) -> str:
    return f"{workflow_id}/{period}"
