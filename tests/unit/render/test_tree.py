"""Bundles on disk: only our own folders are written, only our own files go."""

from __future__ import annotations

import functools
import json
import os
import time
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render import Bundle, render, tree
from tempo_infra.sizing import size
from tests.unit.sizing.clusters import trio


@functools.cache
def bundles(**change: int) -> tuple[Bundle, ...]:
    one = trio(**change)
    return render(one, size(one))


def paths(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_is_what_was_rendered(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    tree.write(bundles(), out, whole=True)
    for bundle in bundles():
        found = {path: (out / bundle.host / path).read_bytes() for path in paths(out / bundle.host)}
        assert found == tree.contents(bundle)
        assert json.loads(found["manifest.json"])["host"] == bundle.host
    assert tree.difference(bundles(), out, whole=True) == ""


def test_stale_files_of_ours_go_and_others_stay(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    (tmp_path / "db-1" / "notes.txt").write_text("mine")
    tree.write(bundles(database_gib=8), tmp_path, whole=True)
    expected = set(tree.contents(bundles(database_gib=8)[2]))
    assert paths(tmp_path / "db-1") == expected | {"notes.txt"}
    assert len(list((tmp_path / "db-1" / "services").iterdir())) == 3


def test_a_host_that_left_the_inventory_goes(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    tree.write(bundles()[:2], tmp_path, whole=True)
    assert {path.name for path in tmp_path.iterdir()} == {"front-1", "history-1"}


def test_writing_one_host_leaves_the_others(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    tree.write(bundles(database_gib=8)[2:], tmp_path, whole=False)
    assert tree.difference(bundles()[:2], tmp_path, whole=False) == ""
    assert tree.difference(bundles(database_gib=8)[2:], tmp_path, whole=False) == ""


@pytest.mark.parametrize("name", ["a-file", "a-folder/"])
def test_a_folder_of_others_is_not_written(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / name
    if name.endswith("/"):
        foreign.mkdir()
    else:
        foreign.touch()
    with pytest.raises(InputError, match="nothing was written"):
        tree.write(bundles(), tmp_path, whole=True)
    assert [path.name for path in tmp_path.iterdir()] == [name.rstrip("/")]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(InputError, match="is a file, not a folder"):
        tree.write(bundles(), tmp_path / "x", whole=True)


def test_a_manifest_can_not_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    out = tmp_path / "out"
    (out / "db-1").mkdir(parents=True)
    names = ["../../precious", str(tmp_path / "precious")]
    for name in names:
        (out / "db-1" / "manifest.json").write_text(json.dumps({"files": {name: {"sha256": ""}}}))
        with pytest.raises(InputError, match="is no path of a file"):
            tree.write(bundles(), out, whole=True)
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"format": 2, "files": {"a": {"sha256": "x", "uid": Infinity}}, "instances": {}}',
        '{"format": 2, "files": {}, "instances": {}, "users": {"x\\nfront-1: in force": 1}}',
    ],
)
def test_a_manifest_that_is_not_ours_is_refused_on_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "db-1").mkdir()
    (tmp_path / "db-1" / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="is not ours") as refused:
        tree.write(bundles(), tmp_path, whole=True)
    assert "\n" not in refused.value.what


def test_the_difference_is_a_diff_by_service_not_by_digest(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    found = tree.difference(bundles(database_gib=8), tmp_path, whole=True)
    assert "\n-shared_buffers = 928MB\n" in found
    assert "\n+shared_buffers = 1904MB\n" in found
    assert "history-1" not in found
    assert "manifest.json" not in found
    assert "rename from a/db-1/services/postgresql-" in found  # pg_hba.conf is the same in a new folder


def test_a_hand_edited_a_missing_and_a_foreign_file_show(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    (tmp_path / "db-1" / "docker-compose.yml").write_text("name: other")
    (tmp_path / "front-1" / "etc" / "sysctl.d" / "60-tempo-infra.conf").unlink()
    (tmp_path / "history-1" / "extra").write_text("x\n")
    found = tree.difference(bundles(), tmp_path, whole=True)
    assert "-name: other\n\\ No newline at end of file\n" in found
    assert "--- /dev/null\n+++ b/front-1/etc/sysctl.d/60-tempo-infra.conf" in found
    assert "--- a/history-1/extra\n+++ /dev/null" in found


def test_nothing_there_differs_in_everything(tmp_path: Path) -> None:
    found = tree.difference(bundles(), tmp_path / "absent", whole=True)
    assert found.count("--- /dev/null") == sum(len(bundle.files) for bundle in bundles())


def test_a_host_too_many_differs_unless_one_was_named(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    assert "--- a/db-1/docker-compose.yml\n+++ /dev/null" in tree.difference(
        bundles()[:2], tmp_path, whole=True
    )
    assert tree.difference(bundles()[:2], tmp_path, whole=False) == ""


def test_an_edited_manifest_alone_shows(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    (tmp_path / "db-1" / "manifest.json").write_text("{}\n")
    assert "+++ b/db-1/manifest.json" in tree.difference(bundles(), tmp_path, whole=True)


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    name = "n" * 300
    with pytest.raises(InputError, match=f"{name}: can't be opened: file name too long"):
        tree.write(bundles(), tmp_path / name, whole=True)


LINKED = [
    "manifest.json",
    "docker-compose.yml",
    "etc",
    "etc/sysctl.d",
    "etc/sysctl.d/60-tempo-infra.conf",
    "foreign",
    "deep/er/foreign",
]


@pytest.mark.parametrize("at", LINKED)
def test_a_link_anywhere_is_neither_shown_nor_written_through(tmp_path: Path, at: str) -> None:
    """As a branch may bring them: git keeps links."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "sysctl.d").mkdir()
    for name in ("key", "60-tempo-infra.conf", "sysctl.d/60-tempo-infra.conf"):
        (outside / name).write_text("PRIVATE KEY")
    tree.write(bundles(), out, whole=True)
    link = out / "db-1" / at
    link.parent.mkdir(parents=True, exist_ok=True)
    folder = link.is_dir()
    link.rename(tmp_path / "moved") if link.exists() else None
    link.symlink_to(outside if folder else outside / "key")
    before = {path: path.stat().st_ctime_ns for path in outside.rglob("*")}
    for whole in (True, False):
        with pytest.raises(InputError, match="is a link") as told:
            tree.difference(bundles(), out, whole=whole)
        assert "PRIVATE KEY" not in str(told.value)
        with pytest.raises(InputError, match="is a link"):
            tree.write(bundles(database_gib=8), out, whole=whole)
    assert {path: path.stat().st_ctime_ns for path in outside.rglob("*")} == before


@pytest.mark.parametrize("at", ["", "db-1", "x"])
def test_a_host_s_folder_and_the_root_are_no_links(tmp_path: Path, at: str) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    tree.write(bundles(), outside, whole=True)
    out.mkdir() if at else None
    (out / at).symlink_to(outside / "db-1" if at else outside)
    before = paths(outside)
    with pytest.raises(InputError, match="is a link"):
        tree.difference(bundles(), out, whole=True)
    with pytest.raises(InputError, match="is a link"):
        tree.write(bundles()[:2], out, whole=True)
    assert paths(outside) == before


def test_a_pipe_in_the_folder_holds_nobody_up(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    os.mkfifo(tmp_path / "db-1" / "x")
    began = time.monotonic()
    with pytest.raises(InputError, match="is a pipe"):
        tree.difference(bundles(), tmp_path, whole=True)
    assert time.monotonic() - began < 30


def test_a_committed_manifest_removes_nothing_but_what_lies_there(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path / "out", whole=True)
    precious = tmp_path / "precious"
    precious.touch()
    named = ["../../precious", "../front-1/docker-compose.yml", str(precious), "", ".", "./x", "x//y"]
    manifest = tmp_path / "out/db-1/manifest.json"
    ours = manifest.read_text()
    before = paths(tmp_path)
    for name in named:
        manifest.write_text(json.dumps({"files": {name: {"sha256": ""}}}))
        with pytest.raises(InputError, match="is no path of a file"):
            tree.write(bundles()[2:], tmp_path / "out", whole=False)
    assert paths(tmp_path) == before
    manifest.write_text(json.dumps({"files": {"etc": {"sha256": ""}}}))
    tree.write(bundles()[2:], tmp_path / "out", whole=False)
    manifest.write_text(ours)
    assert tree.difference(bundles(), tmp_path / "out", whole=True) == ""


def test_a_file_of_lines_without_end_is_not_compared_line_by_line(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    compose = tmp_path / "db-1" / "docker-compose.yml"
    compose.write_text(compose.read_text() * 500)
    began = time.process_time()
    found = tree.difference(bundles(), tmp_path, whole=True)
    assert "lines: too many to compare" in found
    assert time.process_time() - began < 5


@pytest.mark.parametrize("planted", ["services", "etc/sysctl.d"])
def test_nothing_is_written_where_anything_stands_in_the_way(tmp_path: Path, planted: str) -> None:
    last = bundles()[-1].host
    (tmp_path / last / planted).parent.mkdir(parents=True)
    (tmp_path / last / planted).write_text("x")
    files = {} if planted == "services" else {planted: {"sha256": ""}}  # it is no path of a file
    (tmp_path / last / "manifest.json").write_text(json.dumps({"files": files}))
    before = paths(tmp_path)
    with pytest.raises(InputError, match=f"{planted}: is a file, not a folder"):
        tree.write(bundles(), tmp_path, whole=True)
    assert paths(tmp_path) == before


def test_a_folder_in_the_place_of_a_file_stands_in_the_way_too(tmp_path: Path) -> None:
    last = bundles()[-1].host
    (tmp_path / last / "docker-compose.yml").mkdir(parents=True)
    (tmp_path / last / "manifest.json").write_text('{"files": {}}')
    with pytest.raises(InputError, match=r"docker-compose\.yml: is a folder, not a file"):
        tree.write(bundles(), tmp_path, whole=True)
    assert paths(tmp_path) == {f"{last}/manifest.json"}


def test_a_name_makes_no_line_of_a_diff(tmp_path: Path) -> None:
    (tmp_path / "db-1").mkdir()
    (tmp_path / "db-1/x\n+++ b").write_text("y")
    assert "\n+++ b\n" not in tree.difference(bundles(), tmp_path, whole=True)


def test_a_file_in_the_place_of_the_services_folder_is_shown_as_one(tmp_path: Path) -> None:
    tree.write(bundles(), tmp_path, whole=True)
    folder = tmp_path / "front-1" / "services"
    folder.rename(tmp_path / "db-1" / "moved")
    folder.write_text("planted\n")
    found = tree.difference(bundles(), tmp_path, whole=True)
    assert "--- a/front-1/services\n+++ /dev/null\n@@ -1 +0,0 @@\n-planted\n" in found
