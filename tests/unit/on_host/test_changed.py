from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host.changed import Change, Changes, read_changes
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout

WANTED = {"docker-compose.yml": "c3", "services/history-2/server.yaml": "h2", "etc/sysctl.d/60.conf": "s1"}


def generation(layout: Layout, name: str, files: dict[str, str]) -> None:
    folder = layout.generations / name
    folder.mkdir(parents=True)
    body = {"files": {path: {"sha256": digest} for path, digest in files.items()}}
    (folder / "manifest.json").write_text(json.dumps(body))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Generation a, then b, then c, which is current; a had a file that is wanted again."""
    made = Layout(tmp_path)
    generation(made, "a", {"docker-compose.yml": "c1", "services/history-2/server.yaml": "h2"})
    generation(made, "b", {"docker-compose.yml": "c2", "services/history-1/server.yaml": "h1"})
    generation(made, "c", {"services/history-3/server.yaml": "h3", "etc/sysctl.d/60.conf": "s1"})
    made.current.symlink_to("generations/c")
    for run, name in (("r1", "a"), ("r2", "b"), ("r3", "c")):
        record(made, Entry(run, "confirm", "confirmed", name, who=f"{run}@laptop", inventory=f"i-{run}"))
    record(made, Entry("r4", "rollback", "rolled back", "c", detail="it failed", who="r4@laptop"))
    return made


def test_who_made_the_current_generation_is_told_whatever_failed_since(layout: Layout) -> None:
    found = read_changes(layout, WANTED)
    assert found.last is not None
    assert (found.last.run, found.last.who, found.last.inventory) == ("r3", "r3@laptop", "i-r3")
    assert [one.generation for one in found.earlier] == ["a", "b"]


def test_a_wanted_file_that_an_earlier_generation_had_and_this_one_has_not_goes_back(layout: Layout) -> None:
    assert read_changes(layout, WANTED).older == {"services/history/server.yaml": "a"}
    both = {"docker-compose.yml": "c2", "services/history-2/server.yaml": "h2"}
    assert read_changes(layout, both).older == {
        "docker-compose.yml": "b",
        "services/history/server.yaml": "a",
    }


def test_a_file_whose_folder_has_another_name_for_another_files_sake_does_not_go_back(layout: Layout) -> None:
    wanted = {"services/history-9/server.yaml": "h3", "services/history-9/dynamic.yaml": "d"}
    generation(layout, "z", {"services/history-9/server.yaml": "h3", "services/history-9/dynamic.yaml": "d"})
    record(layout, Entry("r0", "confirm", "confirmed", "z"))
    assert read_changes(layout, wanted).older == {"services/history/dynamic.yaml": "z"}


def test_a_generation_that_was_confirmed_twice_counts_once_and_last(layout: Layout) -> None:
    record(layout, Entry("r5", "confirm", "confirmed", "a", detail="rolled back by hand", who="r5@laptop"))
    layout.current.unlink()
    layout.current.symlink_to("generations/a")
    found = read_changes(layout, WANTED)
    assert found.last is not None
    assert (found.last.run, found.last.how, found.last.inventory) == ("r5", "rolled back by hand", "")
    assert [one.generation for one in found.earlier] == ["b", "c"]


def test_generations_that_are_gone_and_journals_that_are_lost_are_nothing_to_tell(layout: Layout) -> None:
    (layout.generations / "a/manifest.json").unlink()
    assert read_changes(layout, WANTED).older == {}
    layout.journal.unlink()
    assert read_changes(layout, WANTED) == Changes()
    layout.current.unlink()
    assert read_changes(layout, WANTED) == Changes()


def test_years_of_changes_are_the_newest(layout: Layout) -> None:
    for number in range(50):
        record(layout, Entry("r", "confirm", "confirmed", f"g{number}"))
    found = read_changes(layout, WANTED)
    assert [one.generation for one in found.earlier] == [f"g{number}" for number in range(30, 50)]
    assert isinstance(found.last, Change)
