"""The comparison that gives the smoke run its meaning: each thing that can go wrong is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.workload.account import COMPLETED, FAILED, TIMED_OUT, Expected, Incident, account
from tempo_infra.workload.card import Answer, Card
from tempo_infra.workload.ledger import Attempt, Done, Rows

A, B = 101, 102  # the workers' pids
PAID, DECLINED, REPEATED = Answer.PAID, Answer.DECLINED, Answer.REPEATED
CAST = (
    Expected("pays", Card.PAYS),
    Expected("once", Card.DECLINED_ONCE),
    Expected("never", Card.DECLINED),
    Expected("held", Card.HELD),
)
OUTCOMES = {"pays": COMPLETED, "once": COMPLETED, "never": FAILED, "held": COMPLETED}
ROWS = Rows(
    attempts=(
        Attempt("pays", 1, A, PAID),
        Attempt("once", 1, A, DECLINED),
        Attempt("once", 2, B, PAID),
        Attempt("never", 1, A, DECLINED),
        Attempt("never", 2, B, DECLINED),
        Attempt("never", 3, B, DECLINED),
        Attempt("held", 1, A, None),
        Attempt("held", 2, B, PAID),
    ),
    charges=(Done("pays", A), Done("once", B), Done("held", B)),
    emails=(Done("never", B),),
)
KILLED = Incident(killed_pid=A, held_by_killed=frozenset({"held"}))


def attempts(*rows: Attempt) -> Rows:
    """Return the good ledger with these workflows' attempts in place of theirs."""
    replaced = {row.workflow_id for row in rows}
    return replace(ROWS, attempts=(*(row for row in ROWS.attempts if row.workflow_id not in replaced), *rows))


def test_nothing_is_wrong_with_a_run_as_it_should_be() -> None:
    assert account(CAST, ROWS, OUTCOMES, KILLED) == ()


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (replace(ROWS, charges=(*ROWS.charges, Done("pays", B))), "pays: charges: 2, expected 1"),
        (replace(ROWS, charges=ROWS.charges[1:]), "pays: charges: 0, expected 1"),
        (replace(ROWS, charges=(*ROWS.charges, Done("never", B))), "never: charges: 1, expected 0"),
        (replace(ROWS, emails=()), "never: failure e-mails: 0, expected 1"),
        (replace(ROWS, emails=ROWS.emails * 2), "never: failure e-mails: 2, expected 1"),
        (replace(ROWS, emails=(*ROWS.emails, Done("pays", A))), "pays: failure e-mails: 1, expected 0"),
        (replace(ROWS, emails=(*ROWS.emails, Done("who", A))), "who: in the ledger, but never started"),
        (attempts(*ROWS.attempts[3:5]), "never: attempts: 2, expected 3"),
        (attempts(*ROWS.attempts[3:6], Attempt("never", 4, B, DECLINED)), "never: attempts: 4, expected 3"),
        (attempts(Attempt("once", 1, B, PAID)), "once: refusals by the bank: 0, expected 1"),
        (
            attempts(Attempt("pays", 1, A, PAID), Attempt("pays", 1, B, REPEATED)),
            "pays: attempt 1 ran 2 times",
        ),
        (
            attempts(Attempt("pays", 1, A, PAID), Attempt("pays", 2, B, PAID)),
            "pays: attempts that paid: 2, expected 1",
        ),
        (
            attempts(Attempt("pays", 1, B, None), Attempt("pays", 2, B, PAID)),
            f"pays: attempt 1 has no answer, though its worker {B} was left alone",
        ),
        (attempts(Attempt("pays", 3, B, PAID)), "pays: 2 of 3 attempts never reached a worker"),
        (
            attempts(Attempt("held", 1, A, PAID)),
            f"held: was in progress in the killed worker {A}, and no other finished it",
        ),
    ],
)
def test_a_wrong_ledger_is_seen(rows: Rows, problem: str) -> None:
    assert account(CAST, rows, OUTCOMES, KILLED) == (problem,)


@pytest.mark.parametrize(
    ("workflow_id", "found", "wanted"),
    [
        ("pays", FAILED, COMPLETED),
        ("never", COMPLETED, FAILED),
        ("held", TIMED_OUT, COMPLETED),
        ("never", TIMED_OUT, FAILED),  # its last attempt ran in a worker that was left alone
        ("held", None, COMPLETED),
    ],
)
def test_a_wrong_end_is_seen(workflow_id: str, found: str | None, wanted: str) -> None:
    outcomes = (
        {**OUTCOMES, workflow_id: found} if found else {k: v for k, v in OUTCOMES.items() if k != workflow_id}
    )
    problem = f"{workflow_id}: end: {found or 'no end'}, expected {wanted}"
    assert account(CAST, ROWS, {k: v for k, v in outcomes.items() if v}, KILLED) == (problem,)


@pytest.mark.parametrize(
    ("rows", "incident"),
    [
        # charged, then killed before Temporal heard of it
        (attempts(Attempt("pays", 1, A, PAID), Attempt("pays", 2, B, REPEATED)), KILLED),
        # handed to the killed worker, which never began
        (attempts(Attempt("pays", 2, B, PAID)), KILLED),
        # the server was away: attempts are given up in workers that live
        (
            attempts(
                Attempt("pays", 1, B, Answer.ABANDONED),
                Attempt("pays", 2, B, None),
                Attempt("pays", 3, B, PAID),
            ),
            replace(KILLED, disturbed=True),
        ),
        (attempts(Attempt("pays", 3, B, PAID)), replace(KILLED, disturbed=True)),
    ],
)
def test_what_a_crash_explains_is_no_problem(rows: Rows, incident: Incident) -> None:
    assert account(CAST, rows, OUTCOMES, incident) == ()


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            attempts(Attempt("pays", 1, A, PAID), Attempt("pays", 2, B, REPEATED)),
            "pays: attempt 2 came after the charge",
        ),
        (attempts(Attempt("pays", 2, B, PAID)), "pays: 1 of 2 attempts never reached a worker"),
    ],
)
def test_without_a_crash_the_same_is_a_problem(rows: Rows, problem: str) -> None:
    quiet = [one for one in CAST if one.workflow_id != "held"]
    rows = replace(
        rows,
        attempts=tuple(row for row in rows.attempts if row.workflow_id != "held"),
        charges=tuple(row for row in rows.charges if row.workflow_id != "held"),
    )
    assert account(quiet, rows, OUTCOMES) == (problem,)


def test_a_declined_card_may_time_out_when_its_last_attempt_was_killed() -> None:
    rows = attempts(*ROWS.attempts[3:5], Attempt("never", 3, A, None))
    assert account(CAST, rows, {**OUTCOMES, "never": TIMED_OUT}, KILLED) == ()
