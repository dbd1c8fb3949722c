"""What a host answers is as long as the operator's side takes, whatever lies on it and however old it is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from tempo_infra.deploy.responses import most_bytes
from tempo_infra.on_host import runs, state
from tempo_infra.on_host.cluster_record import keep
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.steps import reading
from tempo_infra.on_host.steps.step import Step
from tempo_infra.on_host.wire import encode, read_frame
from tests.unit.on_host import a_host
from tests.unit.on_host.test_cluster_record import of_members

ARGS = reading.State(dict.fromkeys(a_host.FILES, "0" * 64), [], [], "00")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    made = a_host.make(tmp_path, monkeypatch)
    monkeypatch.setattr(state, "_docker", lambda _: state.Docker(None, None))
    return made


def taken(step: Step, answer: object) -> bool:
    """Whether the other side takes this as the answer to a step; WireError when not."""
    sent = [encode("n", "reply", {"results": [asdict(answer)]})]  # type: ignore[call-overload]  # a dataclass
    lines = iter((sent[0].split(b"\n", 1)[0] + b"\n", b""))
    body = sent[0].split(b"\n", 1)[1]
    at = [0]

    def exactly(count: int) -> bytes:
        at[0] += count
        return body[at[0] - count : at[0]]

    frame = read_frame("n", lambda: next(lines), exactly, lambda kind: most_bytes(kind, [step]))
    return frame is not None


def test_files_that_somebody_filled_are_shown_in_part(layout: Layout) -> None:
    for path in a_host.FILES:
        (layout.current / path).write_text("ж" * 1_000_000)  # six bytes each as JSON
        layout.installed(path).write_text("\x01" * 1_000_000)
    found = state.read_state(layout, ARGS)
    shown = [*found.texts.values(), *found.tampered.values()]
    shown += [text for one in found.edited.values() for text in (one.shipped, one.found)]
    assert sum(map(len, shown)) == state.MAX_TEXTS
    assert max(map(len, shown)) == state.MAX_TEXT
    assert taken(reading.State({}, [], [], ""), found)


def test_a_small_edit_is_shown_whole(layout: Layout) -> None:
    layout.installed(a_host.FILES[0]).write_text("edited\n")
    assert state.read_state(layout, ARGS).edited == {a_host.FILES[0]: state.Edited("old", "edited\n")}


def test_of_years_of_runs_the_newest_are_told(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        record(layout, Entry(f"r{number}", "confirm", "confirmed", a_host.OLD, detail="x" * 1000))
    assert len(runs.read_runs(layout, reading.Runs()).entries) == 31
    monkeypatch.setattr(runs, "MOST_BYTES", 13_000)
    told = runs.read_runs(layout, reading.Runs())
    assert [entry.run for entry in told.entries] == [f"r{number}" for number in range(20, 30)]
    assert taken(reading.Runs(), told)
    assert most_bytes("reply", [reading.Runs()]) - 2**19 > runs.MOST_BYTES + runs.RECORDS_BYTES


@pytest.mark.thorough
def test_of_large_clusters_the_newest_records_are_told(layout: Layout) -> None:
    for number in range(6):
        keep(layout, of_members(f"r{number}", 999))
    told = runs.read_runs(layout, reading.Runs())
    assert [one.run for one in told.records][-1] == "r5"
    assert 1 < len(told.records) < 6
    assert taken(reading.Runs(), told)
    assert taken(ARGS, state.read_state(layout, ARGS))
