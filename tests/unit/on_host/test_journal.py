from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host import journal
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


@pytest.mark.parametrize("many", [1000, pytest.param(100_000, marks=pytest.mark.thorough)])
def test_many_entries_stay_readable_and_no_decision_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    part = 100_000 // many
    monkeypatch.setattr(journal, "LARGEST_BYTES", journal.LARGEST_BYTES // part)
    monkeypatch.setattr(journal, "NEWEST_BYTES", journal.NEWEST_BYTES // part)
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    old = [
        Entry("r0", "confirm", "confirmed", "first"),
        Entry("r0", journal.RESTART, "done", detail="ui", seconds=2),
    ]
    lines = [journal._line(one) for one in (*old, *[Entry(f"r{n}", "stage", "done") for n in range(many)])]
    layout.journal.write_text("".join(f"{line}\n" for line in lines))
    record(layout, Entry("last", "confirm", "confirmed", "second"))
    assert layout.journal.stat().st_size < journal.LARGEST_BYTES
    found = journal.entries(layout)
    assert journal.history(layout) == ["first", "second"]
    assert (journal.confirmed(layout), journal.last_good(layout)) == ("second", "second")
    assert journal.restarts(layout) == {"ui": [2]}
    assert [one.run for one in found[-2:]] == [f"r{many - 1}", "last"]
    size = layout.journal.stat().st_size
    record(layout, Entry("more", "stage", "done"))
    assert size < layout.journal.stat().st_size < size + 1000  # not again at once


def test_a_journal_that_can_not_be_made_smaller_is_still_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    monkeypatch.setattr(journal, "replace_file", full)
    monkeypatch.setattr(journal, "LARGEST_BYTES", 10)
    for run in ("r1", "r2"):
        record(layout, Entry(run, "stage", "done"))
    assert [one.run for one in journal.entries(layout)] == ["r1", "r2"]
