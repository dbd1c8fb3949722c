from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.workload.card import MAX_ATTEMPTS, Answer, Card, answer
from tempo_infra.workload.ledger import Attempt, Done, Ledger

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def charge(ledger: Ledger, card: Card, attempt: int, pid: int = 7) -> Answer:
    return ledger.charge(ledger.begin("w/2026-11", "w", attempt, pid), card)


@pytest.mark.parametrize(
    ("card", "answers"),
    [
        (Card.PAYS, [Answer.PAID, Answer.REPEATED, Answer.REPEATED]),
        (Card.HELD, [Answer.PAID, Answer.REPEATED, Answer.REPEATED]),
        (Card.DECLINED_ONCE, [Answer.DECLINED, Answer.PAID, Answer.REPEATED]),
        (Card.DECLINED, [Answer.DECLINED] * 3),
    ],
)
def test_a_period_is_charged_at_most_once(ledger: Ledger, card: Card, answers: list[Answer]) -> None:
    assert [charge(ledger, card, attempt) for attempt in (1, 2, 3)] == answers
    assert len(ledger.rows().charges) == (0 if card is Card.DECLINED else 1)


def test_eight_at_once_make_one_charge(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda attempt: charge(ledger, Card.PAYS, attempt), range(1, 9)))
    assert answers.count(Answer.PAID) == 1
    assert ledger.rows().charges == (Done("w", 7),)


def test_another_period_is_another_charge(ledger: Ledger) -> None:
    for period in ("2026-11", "2026-12"):
        ledger.charge(ledger.begin(f"w/{period}", "w", 1, 7), Card.PAYS)
    assert len(ledger.rows().charges) == 2


def test_a_second_charge_of_a_period_is_refused_by_the_file_itself(ledger: Ledger) -> None:
    charge(ledger, Card.PAYS, 1)
    db = sqlite3.connect(ledger.path)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO charges VALUES ('w/2026-11', 'w', 8, 0)")
    db.close()


def test_an_email_goes_out_once(ledger: Ledger) -> None:
    ledger.email("w/2026-11", "w", 7)
    ledger.email("w/2026-11", "w", 8)
    assert ledger.rows().emails == (Done("w", 7),)


def test_attempts_without_answer_are_kept(ledger: Ledger) -> None:
    ledger.begin("w/2026-11", "w", 1, 7)
    ledger.abandon(ledger.begin("w/2026-11", "w", 2, 8))
    assert ledger.rows().attempts == (Attempt("w", 1, 7, None), Attempt("w", 2, 8, Answer.ABANDONED))


def test_the_gate_opens_for_every_process(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    assert not other.gate_is_open()
    ledger.open_gate()
    assert other.gate_is_open()


def test_workers_report_ready_by_pid(ledger: Ledger) -> None:
    ledger.worker_ready(7)
    ledger.worker_ready(8)
    ledger.worker_ready(7)
    assert ledger.ready_workers() == {7, 8}


@given(st.sampled_from(Card), st.integers(0, MAX_ATTEMPTS))
def test_what_is_charged_is_never_charged_again(card: Card, declined: int) -> None:
    assert answer(card, declined_before=declined, charged_before=True) is Answer.REPEATED
