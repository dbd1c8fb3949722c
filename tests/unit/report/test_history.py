"""`history`: when, by whom, how it ended, and what it changed; old journals show what they have."""

from __future__ import annotations

import json

import pytest

from tempo_infra.errors import UnreachableError
from tempo_infra.on_host.journal import NOTE, RESTART, Entry
from tempo_infra.on_host.runs import Runs
from tempo_infra.report.history import history_json, history_lines

A, B = "a" * 64, "b" * 64
ABOUT = Entry("r1", NOTE, "begun", time="t0", detail="postgresql.conf: jit on -> off", who="me@desk")
SWITCHED = Entry("r1", "switch", "done", B, "t1")
KEPT = Entry("r1", "confirm", "confirmed", B, "t2", "health", "me@desk")
BACK = Entry("r1", "rollback", "rolled back", A, "t3", "serving: down", "me@desk")
LOOKED = [Entry("r1", step, "done", time="t1") for step in ("local-login", "membership")]


@pytest.mark.parametrize(
    ("entries", "lines"),
    [
        (
            [ABOUT, SWITCHED, KEPT],
            ["t2  r1  me@desk", f"  db-1        confirmed {B[:12]}", "      postgresql.conf: jit on -> off"],
        ),
        (
            [SWITCHED, KEPT],
            ["t2  r1  me@desk", f"  db-1        confirmed {B[:12]}"],
        ),  # of before there were notes
        (
            [SWITCHED, Entry("r1", RESTART, "done", detail="history", seconds=2.74), KEPT],
            ["t2  r1  me@desk", f"  db-1        confirmed {B[:12]}", "      restarted history (2.7 s)"],
        ),
        (LOOKED, ["t1  r1", "  db-1        unchanged"]),
        (
            [Entry("r1", "confirm", "confirmed", "", "t2", "rolled back by hand")],
            ["t2  r1", "  db-1        confirmed generation 0", "      because: rolled back by hand"],
        ),
        (
            [ABOUT, Entry("r1", "pull", "failed", time="t1", detail="no room")],
            [
                "t1  r1  me@desk",
                "  db-1        failed",
                "      postgresql.conf: jit on -> off",
                "      because: pull: no room",
            ],
        ),
        (
            [SWITCHED, Entry("r1", "serving", "failed", detail="down"), BACK],
            ["t3  r1  me@desk", f"  db-1        rolled back {A[:12]}", "      because: serving: down"],
        ),
        (
            [Entry("r1", "rollback", "failed", A, "t3", "no engine")],
            ["t3  r1", "  db-1        failed", "      because: rollback: no engine"],
        ),
        ([SWITCHED], ["t1  r1", "  db-1        ended early", "      because: after switch"]),
        (
            [Entry("r1", "drain", "done", time="t1"), Entry("r1", "up", "done", time="t2")],
            ["t2  r1", "  db-1        done", "      maintenance"],
        ),
        (
            [Entry("r1", "origin", "done", time="t1")],
            ["t1  r1", "  db-1        done", "      took note of the secrets file"],
        ),
    ],
)
def test_a_run_says_how_it_ended_and_what_it_changed(entries: list[Entry], lines: list[str]) -> None:
    assert list(history_lines({"db-1": Runs(B, B, B, entries=entries)})) == lines


def test_a_rollback_that_failed_after_a_decision_is_what_counts() -> None:
    broken = Entry("r1", "rollback", "failed", A, "t3", "no engine")
    held = Entry("r1", "hold", "held", B, "t2")
    lines = list(history_lines({"db-1": Runs(B, B, B, entries=[held, broken])}))
    assert lines[:2] == ["t3  r1", "  db-1        failed"]


def test_lines_are_no_wider_than_a_terminal_and_each_run_is_told_once() -> None:
    what = "; ".join(
        f"temporal/history.yaml: some.key{number} {number} -> {number + 1}" for number in range(20)
    )
    entries = [
        Entry(
            f"run{number:05}",
            step,
            "done",
            B,
            "2026-11-30T00:00:00Z",
            what if step == NOTE else "",
            "me@desk",
        )
        for number in range(3)
        for step in (NOTE, "switch")
    ]
    lines = list(history_lines({"db-1": Runs(B, B, B, entries=entries)}))
    assert max(map(len, lines)) <= 80
    assert [line.split()[1] for line in lines if not line.startswith(" ")] == [
        "run00000",
        "run00001",
        "run00002",
    ]


def test_a_run_is_told_once_with_each_host_that_knows_of_it_and_the_newest_is_last() -> None:
    """What `rollback RUN` takes back: a host's name, and the generation that it was given."""

    def kept(run: str, generation: str, at: str, what: str) -> list[Entry]:
        about = Entry(run, NOTE, "begun", time=at, detail=what, who="me@desk")
        return [about, Entry(run, "confirm", "confirmed", generation, at, "health", "me@desk")]

    db = Runs(B, B, B, entries=[*kept("r1", A, "t1", "first"), *kept("r2", B, "t3", "jit on -> off")])
    front = Runs(A, A, A, entries=[*kept("r1", A, "t2", "first"), Entry("r2", "ring", "done", time="t2")])
    assert list(history_lines({"db-1": db, "front-1": front})) == [
        "t2  r1  me@desk",
        f"  db-1        confirmed {A[:12]}",
        "      first",
        f"  front-1     confirmed {A[:12]}",
        "      first",
        "t3  r2  me@desk",
        f"  db-1        confirmed {B[:12]}",
        "      jit on -> off",
        "  front-1     unchanged",
    ]


def test_for_programs_it_is_json() -> None:
    body = json.loads(
        history_json(
            {"db-1": Runs(B, B, B, entries=[ABOUT, SWITCHED, KEPT]), "new": Runs(None, None, None)},
            {"off-1": UnreachableError("no answer", host="off-1", remedy="is it up?")},
        )
    )
    assert body == {
        "schema": 1,
        "hosts": {
            "db-1": [
                {
                    "time": "t2",
                    "run": "r1",
                    "result": "confirmed",
                    "generation": B,
                    "who": "me@desk",
                    "what": "postgresql.conf: jit on -> off",
                    "why": "",
                }
            ],
            "new": [],
        },
        "errors": {"off-1": {"what": "no answer", "remedy": "is it up?"}},
    }
