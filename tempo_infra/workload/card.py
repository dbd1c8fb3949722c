"""What a workflow is started with, and how the imitated bank answers each kind of card. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_S: Final = 24 * 60 * 60.0
MAX_ATTEMPTS: Final = 3  # of a charge, before the customer gets a failure e-mail
CARD_DECLINED: Final = "CardDeclined"  # type of the error that the bank's refusal becomes


class Card(StrEnum):
    """How the card behaves; the smoke run starts some workflows with each."""

    PAYS = "pays"
    DECLINED_ONCE = "declined-once"
    DECLINED = "declined"
    HELD = "held"  # the bank answers only when the smoke run says so: after the crash


DECLINES: Final = {Card.PAYS: 0, Card.DECLINED_ONCE: 1, Card.DECLINED: MAX_ATTEMPTS, Card.HELD: 0}


class Answer(StrEnum):
    """How one attempt to charge a card ended."""

    PAID = "paid"
    DECLINED = "declined"
    REPEATED = "repeated"  # this period was charged by an earlier attempt: nothing charged again
    ABANDONED = "abandoned"  # Temporal had given the attempt up while it still ran


def answer(card: Card, *, declined_before: int, charged_before: bool) -> Answer:
    """Say how the bank answers, given what it did for this subscription and period so far."""
    if charged_before:
        return Answer.REPEATED
    if card is Card.DECLINED or declined_before < DECLINES[card]:
        return Answer.DECLINED
    return Answer.PAID


@dataclass(frozen=True)
class Subscription:
    """One renewal: who, for which period, by which card, and how patient the retries are."""

    user_id: str
    card: Card
    period: str  # "2026-11"; with the workflow's id it makes the idempotency key
    retry_interval_s: float = DAY_S
    heartbeat_timeout_s: float = 5.0  # so long does Temporal wait for a dead worker's activity
