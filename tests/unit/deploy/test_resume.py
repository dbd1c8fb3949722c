from __future__ import annotations

import json

import pytest

from tempo_infra.deploy.resume import ending
from tempo_infra.errors import UnreachableError
from tempo_infra.on_host.condition import Container
from tempo_infra.on_host.journal import Entry
from tempo_infra.on_host.runs import Runs
from tempo_infra.report.runs import status_json, status_line

A, B = "a" * 64, "b" * 64
SWITCHED = Entry("r1", "switch", "done", B)
KEPT = Entry("r1", "confirm", "confirmed", B, "2026-01-01T00:00:00Z", "health", "me@desk")
BACK = Entry("r1", "rollback", "rolled back", A, detail="serving: no")
ZERO = Entry("r1", "rollback", "rolled back", "")
AT_ZERO = Entry("r1", "confirm", "confirmed", "", detail="rolled back by hand")
HELD = Entry("r1", "hold", "held", B)
BROKEN = Entry("r1", "rollback", "failed", A, detail="no space")


@pytest.mark.parametrize(
    ("entries", "state", "says"),
    [
        ([], "not switched", "was not switched"),
        ([SWITCHED, KEPT], "confirmed", f"confirmed {B[:12]} (health)"),
        ([SWITCHED, BACK], "rolled back", f"rolled back to {A[:12]} (serving: no)"),
        ([SWITCHED, ZERO], "rolled back", "rolled back to what was there before the first provision"),
        ([SWITCHED, HELD], "held", f"held on {B[:12]}, unconfirmed"),
        ([SWITCHED, BROKEN], "rollback failed", "a person is needed (no space)"),
        ([SWITCHED], "not known", "nothing says how it ended"),
        ([SWITCHED, AT_ZERO], "confirmed", "before the first provision (generation 0)"),
    ],
)
def test_how_a_run_ended_is_the_last_word_of_the_journal(entries: list[Entry], state: str, says: str) -> None:
    end = ending(Runs(B, B, B, entries=entries), "r1")
    assert end.state == state
    assert says in end.text


def test_a_run_that_is_not_over_says_when_the_host_decides() -> None:
    runs = Runs(B, None, A, open_run="r1", phase="armed", decides_in_s=42.0, entries=[SWITCHED])
    end = ending(runs, "r1")
    assert end.state == "still open"
    assert "42 s" in end.text


def test_a_run_at_work_before_it_is_armed_is_not_told_as_over() -> None:
    """Its last request may be on the host already, and be done."""
    end = ending(Runs(A, A, A, at_work="r1"), "r1")
    assert (end.state, end.text) == ("still open", "is still at work")


def test_the_state_of_another_run_is_not_told_as_this_ones() -> None:
    runs = Runs(B, None, A, open_run="r2", at_work="r2", decides_in_s=42.0, entries=[SWITCHED, BACK])
    assert ending(runs, "r1").state == "rolled back"


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (Runs(None, None, None), "nothing provisioned"),
        (Runs(B, B, B), f"{B[:12]}  confirmed"),
        (Runs(B, None, A), "! not confirmed"),
        (Runs(B, B, B, database="7712"), "confirmed  database 7712"),
        (Runs(B, None, A, open_run="r1", decides_in_s=7), "run r1 is not over; it decides by itself in 7 s"),
        (Runs(B, None, A, phase="held"), "held after a failure"),
        (Runs(A, None, A, phase="failed"), "a person is needed"),
        (Runs(None, None, None, entries=[SWITCHED, ZERO]), "before the first provision (generation 0)"),
        (Runs(None, None, None, entries=[KEPT, AT_ZERO]), "before the first provision (generation 0)"),
        (Runs(None, B, B, entries=[KEPT]), f"no generation is current, and the journal says {B[:12]}"),
    ],
)
def test_a_status_line_says_where_a_host_stands(runs: Runs, says: str) -> None:
    assert says in status_line(runs)


def test_a_status_for_programs_says_what_the_lines_say() -> None:
    down = Container(
        "history", "c1", running=False, started_at="", image="server", state="exited", since_s=3.0
    )
    runs = {
        "db-1": Runs(B, B, B, database="7712", cluster="shop"),
        "history-1": Runs(
            B,
            None,
            A,
            open_run="r1",
            phase="armed",
            decides_in_s=7.04,
            services=["history"],
            containers=[down],
        ),
        "front-1": Runs(B, B, B, services=["ui"], unasked="no answer"),
    }
    said = json.loads(status_json(runs, {"extra-1": UnreachableError("no way", remedy="look")}))
    assert said["errors"] == {"extra-1": {"what": "no way", "remedy": "look"}}
    assert said["hosts"]["db-1"] == {
        "ok": True,
        "cluster": "shop",
        "generation": B,
        "confirmed": True,
        "phase": "",
        "open_run": "",
        "decides_in_s": 0.0,
        "database": "7712",
        "services_unknown": "",
        "services": [],
    }
    history = said["hosts"]["history-1"]
    assert (history["ok"], history["confirmed"], history["open_run"]) == (False, False, "r1")
    assert history["decides_in_s"] == 7.0
    assert [(one["name"], one["ok"]) for one in history["services"]] == [("history", False)]
    front = said["hosts"]["front-1"]
    assert (front["ok"], front["services_unknown"], front["services"]) == (False, "no answer", [])
