"""Who charged what, when and in which process: a SQLite file that outlives killed workers."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tempo_infra.workload.card import Answer, Card, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS workers (pid INTEGER PRIMARY KEY, ready_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS gate (opened_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, workflow_id TEXT NOT NULL, attempt INTEGER NOT NULL,
    pid INTEGER NOT NULL, started_s REAL NOT NULL, ended_s REAL, answer TEXT);
CREATE TABLE IF NOT EXISTS charges (
    key TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, pid INTEGER NOT NULL, at_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS emails (
    key TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, pid INTEGER NOT NULL, at_s REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the charging activity; without an answer its process died, or it still runs."""

    workflow_id: str
    attempt: int
    pid: int
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Done:
    """A charge made, or an e-mail sent."""

    workflow_id: str
    pid: int


@dataclass(frozen=True, slots=True)
class Rows:
    """The ledger, read."""

    attempts: tuple[Attempt, ...]
    charges: tuple[Done, ...]
    emails: tuple[Done, ...]


class Ledger:
    """One file; each operation is one connection and one transaction, so a kill leaves no half of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._connected() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(_SCHEMA)

    def worker_ready(self, pid: int) -> None:
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO workers VALUES (?, ?)", (pid, time.time()))

    def ready_workers(self) -> frozenset[int]:
        with self._connected() as db:
            return frozenset(pid for (pid,) in db.execute("SELECT pid FROM workers"))

    def open_gate(self) -> None:
        """Let held cards be answered from now on."""
        with self._writing() as db:
            db.execute("INSERT INTO gate VALUES (?)", (time.time(),))

    def gate_is_open(self) -> bool:
        with self._connected() as db:
            return db.execute("SELECT 1 FROM gate").fetchone() is not None

    def begin(self, key: str, workflow_id: str, attempt: int, pid: int) -> int:
        """Note that an attempt starts; return its id."""
        with self._writing() as db:
            added = db.execute(
                "INSERT INTO attempts (key, workflow_id, attempt, pid, started_s) VALUES (?, ?, ?, ?, ?)",
                (key, workflow_id, attempt, pid, time.time()),
            )
            return int(added.lastrowid or 0)

    def charge(self, attempt_id: int, card: Card) -> Answer:
        """Ask the bank: the answer, and the charge if there is one, in one transaction."""
        with self._writing() as db:
            key, workflow_id, pid = db.execute(
                "SELECT key, workflow_id, pid FROM attempts WHERE id = ?", (attempt_id,)
            ).fetchone()
            (declined,) = db.execute(
                "SELECT count(*) FROM attempts WHERE key = ? AND answer = ?", (key, Answer.DECLINED)
            ).fetchone()
            charged = db.execute("SELECT 1 FROM charges WHERE key = ?", (key,)).fetchone()
            given = answer(card, declined_before=declined, charged_before=charged is not None)
            if given is Answer.PAID:
                db.execute("INSERT INTO charges VALUES (?, ?, ?, ?)", (key, workflow_id, pid, time.time()))
            _end(db, attempt_id, given)
            return given

    def abandon(self, attempt_id: int) -> None:
        with self._writing() as db:
            _end(db, attempt_id, Answer.ABANDONED)

    def email(self, key: str, workflow_id: str, pid: int) -> None:
        """Send the failure e-mail, once for each key, as a mail service with idempotency keys does."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO emails VALUES (?, ?, ?, ?)", (key, workflow_id, pid, time.time())
            )

    def rows(self) -> Rows:
        with self._connected() as db:
            attempts = db.execute(
                "SELECT workflow_id, attempt, pid, answer FROM attempts ORDER BY id"
            ).fetchall()
            charges = db.execute("SELECT workflow_id, pid FROM charges ORDER BY at_s").fetchall()
            emails = db.execute("SELECT workflow_id, pid FROM emails ORDER BY at_s").fetchall()
        return Rows(
            tuple(
                Attempt(who, number, pid, Answer(text) if text else None)
                for who, number, pid, text in attempts
            ),
            tuple(Done(*row) for row in charges),
            tuple(Done(*row) for row in emails),
        )

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        try:
            yield db
        finally:
            db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that has the write lock from its start, so that read-then-write can't race."""
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def _end(db: sqlite3.Connection, attempt_id: int, given: Answer) -> None:
    db.execute("UPDATE attempts SET ended_s = ?, answer = ? WHERE id = ?", (time.time(), given, attempt_id))
