from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host.journal import RESTART, Entry, confirmed, entries, record, restarts
from tempo_infra.on_host.layout import Layout

SWITCH = Entry("r1", "switch", "started", "g2")


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], None),
        ([Entry("r1", "stage", "done")], None),
        ([Entry("r1", "switch", "started", "g1"), Entry("r1", "confirm", "confirmed", "g1")], "g1"),
        ([Entry("r1", "confirm", "confirmed", "g1"), SWITCH], None),
        ([Entry("r1", "confirm", "confirmed", "g1"), Entry("r2", "stage", "failed")], "g1"),
        ([SWITCH, Entry("r1", "confirm", "confirmed", "g2"), Entry("r2", "stage", "done")], "g2"),
    ],
)
def test_a_host_is_confirmed_until_a_switch_begins(
    tmp_path: Path, history: list[Entry], expected: str | None
) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    for entry in history:
        record(layout, entry)
    assert confirmed(layout) == expected


def test_a_line_cut_by_a_power_failure_is_no_entry(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    record(layout, Entry("r1", "confirm", "confirmed", "g1"))
    with layout.journal.open("a") as journal:
        journal.write('{"run": "r2", "step": "swi')
    assert [entry.run for entry in entries(layout)] == ["r1"]
    assert confirmed(layout) == "g1"


def test_a_line_that_a_power_cut_left_unfinished_swallows_no_later_one(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    record(layout, Entry("1", "switch", "done"))
    with layout.journal.open("a") as file:
        file.write('{"run": "1", "step": "confi')
    record(layout, Entry("2", "switch", "done"))
    assert [entry.run for entry in entries(layout)] == ["1", "2"]


def test_times_of_restarts_are_the_last_ones_of_each_service(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    for seconds in (9.0, 1.04, 2.0, 3.0, 4.0, 5.0):
        record(layout, Entry("r1", RESTART, "done", detail="history", seconds=seconds))
    record(layout, Entry("r1", RESTART, "done", detail="postgresql", seconds=4.1))
    record(layout, Entry("r1", "up", "done"))
    assert restarts(layout) == {"history": [1.0, 2.0, 3.0, 4.0, 5.0], "postgresql": [4.1]}


def test_a_journal_of_a_later_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    line = {"run": "r1", "step": "confirm", "result": "confirmed", "generation": "g", "colour": "blue"}
    layout.journal.write_text(json.dumps(line) + "\n" + json.dumps({**line, "generation": 7}) + "\n")
    assert [entry.generation for entry in entries(layout)] == ["g"]
