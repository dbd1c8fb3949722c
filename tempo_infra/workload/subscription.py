"""The subscription renewal as a workflow: charge, retry for days, tell the customer, fail."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from tempo_infra.workload.billing import Billing
    from tempo_infra.workload.card import MAX_ATTEMPTS, Subscription


@workflow.defn(name="SubscriptionWorkflow")
class SubscriptionWorkflow:
    @workflow.run
    async def run(self, subscription: Subscription) -> str:
        """Return the receipt's key; fail with the bank's refusal once the customer has been told."""
        try:
            return await workflow.execute_activity_method(
                Billing.charge_credit_card,
                subscription,
                start_to_close_timeout=timedelta(minutes=1),
                heartbeat_timeout=timedelta(seconds=subscription.heartbeat_timeout_s),
                retry_policy=RetryPolicy(
                    initial_interval=timedelta(seconds=subscription.retry_interval_s),
                    backoff_coefficient=1.0,
                    maximum_attempts=MAX_ATTEMPTS,
                ),
            )
        except ActivityError:
            await self._tell_the_customer(subscription)
            raise

    async def _tell_the_customer(self, subscription: Subscription) -> None:
        """Send the e-mail; that it can't be sent must not hide why the charge failed."""
        try:
            await workflow.execute_activity_method(
                Billing.send_failure_email,
                subscription,
                start_to_close_timeout=timedelta(seconds=subscription.heartbeat_timeout_s),
                retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=10),
            )
        except ActivityError:
            workflow.logger.warning("the failure e-mail for %s could not be sent", subscription.user_id)
