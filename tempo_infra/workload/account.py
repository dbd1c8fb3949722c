"""Compare what the ledger and the workflows say with what should have happened. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tempo_infra.workload.card import CARD_DECLINED, DECLINES, MAX_ATTEMPTS, Answer, Card

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tempo_infra.workload.ledger import Attempt, Rows

COMPLETED: Final = "completed"
FAILED: Final = f"failed: {CARD_DECLINED}"
TIMED_OUT: Final = "failed: TimeoutError"
NO_END: Final = "no end"


@dataclass(frozen=True, slots=True)
class Expected:
    """A workflow that was started, or should have been."""

    workflow_id: str
    card: Card

    @property
    def outcome(self) -> str:
        return FAILED if self.card is Card.DECLINED else COMPLETED

    @property
    def charges(self) -> int:
        return 0 if self.card is Card.DECLINED else 1

    @property
    def emails(self) -> int:
        return 1 - self.charges


@dataclass(frozen=True, slots=True)
class Incident:
    """What was broken on purpose; it explains attempts without an answer."""

    killed_pid: int | None = None
    held_by_killed: frozenset[str] = frozenset()  # workflows whose activity the killed worker was running
    disturbed: bool = False  # the cluster itself was disturbed too

    @property
    def happened(self) -> bool:
        return self.killed_pid is not None or self.disturbed

    @property
    def may_lose(self) -> int:
        """Attempts of one workflow that may have been handed to nobody: the killed worker dies once."""
        return MAX_ATTEMPTS if self.disturbed else int(self.happened)

    def explains(self, row: Attempt) -> bool:
        return self.disturbed or row.pid == self.killed_pid


def account(
    expected: Sequence[Expected], rows: Rows, outcomes: Mapping[str, str], incident: Incident | None = None
) -> tuple[str, ...]:
    """Return every difference as a line that names the workflow; () when all is as it should be.

    outcomes: the end of each workflow by id, "completed" or "failed: <type>"; absent when it has not ended.
    """
    seen = incident or Incident()
    charges = Counter(row.workflow_id for row in rows.charges)
    emails = Counter(row.workflow_id for row in rows.emails)
    problems: list[str] = []
    for one in expected:
        own = [row for row in rows.attempts if row.workflow_id == one.workflow_id]
        differences = [
            *_ended(one, own, outcomes.get(one.workflow_id, NO_END), seen),
            *_unlike("charges", charges[one.workflow_id], one.charges),
            *_unlike("failure e-mails", emails[one.workflow_id], one.emails),
            *_attempts(one, own, seen),
        ]
        problems += [f"{one.workflow_id}: {difference}" for difference in differences]
    lost = sorted(seen.held_by_killed - finished_elsewhere(rows, seen))
    problems += [
        f"{who}: was in progress in the killed worker {seen.killed_pid}, and no other finished it"
        for who in lost
    ]
    return (*problems, *_strangers(expected, rows))


def finished_elsewhere(rows: Rows, incident: Incident) -> frozenset[str]:
    """Return the workflows that the killed worker had in progress and another worker brought to an end."""
    others = (row for row in rows.attempts if row.pid != incident.killed_pid)
    paid = {row.workflow_id for row in others if row.answer in {Answer.PAID, Answer.REPEATED}}
    return incident.held_by_killed & paid


def _unlike(what: str, found: str | int, wanted: str | int) -> Iterator[str]:
    if found != wanted:
        yield f"{what}: {found}, expected {wanted}"


def _ended(one: Expected, own: Sequence[Attempt], found: str, incident: Incident) -> Iterator[str]:
    """Compare the end. A declined card's last attempt may have died with its worker: a time-out, then."""
    cut = any(row.attempt == MAX_ATTEMPTS and incident.explains(row) for row in own)
    if one.outcome == FAILED and found == TIMED_OUT and cut:  # else the bank's answer must have arrived
        return
    yield from _unlike("end", found, one.outcome)


def _attempts(one: Expected, own: Sequence[Attempt], incident: Incident) -> Iterator[str]:
    """Compare attempts; one without an answer, or charging again, needs an incident as its cause."""
    times = Counter(row.attempt for row in own)
    yield from (f"attempt {number} ran {count} times" for number, count in times.items() if count > 1)
    for row in own:
        if row.answer in {None, Answer.ABANDONED} and not incident.explains(row):
            yield f"attempt {row.attempt} has no answer, though its worker {row.pid} was left alone"
        if row.answer is Answer.REPEATED and not incident.happened:
            yield f"attempt {row.attempt} came after the charge"
    last = max(times, default=0)
    lost = last - len(times)
    if lost > incident.may_lose:
        yield f"{lost} of {last} attempts never reached a worker"
    yield from _number(one, own, last)


def _number(one: Expected, own: Sequence[Attempt], last: int) -> Iterator[str]:
    if one.card is Card.DECLINED or last > MAX_ATTEMPTS:
        yield from _unlike("attempts", last, MAX_ATTEMPTS)
        return
    declined = sum(row.answer is Answer.DECLINED for row in own)
    yield from _unlike("refusals by the bank", declined, DECLINES[one.card])
    yield from _unlike("attempts that paid", sum(row.answer is Answer.PAID for row in own), 1)


def _strangers(expected: Iterable[Expected], rows: Rows) -> Iterator[str]:
    known = {one.workflow_id for one in expected}
    found = {row.workflow_id for row in rows.attempts}
    found |= {row.workflow_id for row in (*rows.charges, *rows.emails)}
    yield from (f"{workflow_id}: in the ledger, but never started" for workflow_id in sorted(found - known))
