"""Folders that somebody else filled: all of it is read, or none."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tempo_infra.trees import Limits, Tree, UnfitError
from tests.unit.trees.strangers import as_root, let_in
from tests.unit.trees.test_files import PLANTED, Plant

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(file_bytes=1000, bytes=5000, entries=20, depth=3)


def files(root: Path, limits: Limits = LIMITS) -> dict[str, bytes]:
    with Tree.open(root) as tree:
        return tree.files(limits)


@contextmanager
def filled(root: Path) -> Iterator[Tree]:
    for at in ("a", "b/c", "b/d/e"):
        (root / at).parent.mkdir(parents=True, exist_ok=True)
        (root / at).write_text(at)
    with Tree.open(root) as tree:
        yield tree


def test_everything_below_is_read_by_its_path(tmp_path: Path) -> None:
    with filled(tmp_path) as tree:
        assert tree.files(LIMITS) == {"a": b"a", "b/c": b"b/c", "b/d/e": b"b/d/e"}
        assert tree.files(LIMITS, "b") == {"c": b"b/c", "d/e": b"b/d/e"}
        assert tree.files(LIMITS, "missing") == {}
        assert tree.names() == {"a": False, "b": True}


@pytest.mark.parametrize(("plant", "why"), PLANTED[:-1])
@pytest.mark.parametrize("at", ["x", "b/x", "b/d/x"])
def test_one_thing_that_is_no_file_refuses_the_whole(tmp_path: Path, plant: Plant, why: str, at: str) -> None:
    with filled(tmp_path) as tree:
        plant(tmp_path / at)
        with pytest.raises(UnfitError, match=f"^{tmp_path / at}: {why}"):
            tree.files(LIMITS)
        with pytest.raises(UnfitError, match=why):
            tree.write(at, b"new", 0o644)
        if at == "x":
            with pytest.raises(UnfitError, match=why):
                tree.names()


@pytest.mark.parametrize("at", ["b", "b/d"])
def test_a_folder_that_is_a_link_is_not_entered(tmp_path: Path, at: str) -> None:
    outside = tmp_path / "outside"
    (outside / "d").mkdir(parents=True)
    (outside / "d/thesis.txt").write_text("precious")
    with filled(tmp_path / "root") as tree:
        (tmp_path / "root" / at).rename(tmp_path / "moved")
        (tmp_path / "root" / at).symlink_to(outside if at == "b" else outside / "d")
        for act in (
            lambda: tree.files(LIMITS),
            lambda: tree.write("b/d/thesis.txt", b"gone", 0o644),
            lambda: tree.remove("b/d/thesis.txt"),
        ):
            with pytest.raises(UnfitError, match=f"{at}: is a link"):
                act()
    assert (outside / "d/thesis.txt").read_text() == "precious"


def test_the_root_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    with pytest.raises(UnfitError, match="root: is a link"):
        Tree.open(tmp_path / "root")
    with pytest.raises(UnfitError, match="root: is a link"):
        Tree.open(tmp_path / "root", make=True)


def test_the_root_stays_the_one_that_was_opened(tmp_path: Path) -> None:
    """Whoever moves it away and puts a link there has nothing of it."""
    (tmp_path / "outside").mkdir()
    with filled(tmp_path / "root") as tree:
        (tmp_path / "root").rename(tmp_path / "moved")
        (tmp_path / "root").symlink_to(tmp_path / "outside")
        tree.write("new/file", b"content", 0o644)
    assert (tmp_path / "moved/new/file").read_bytes() == b"content"
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize(
    ("at", "size", "why"),
    [
        ("large", 1001, "larger than 0 KiB"),
        ("b/d/f/g/h", 1, "lies deeper than 3 folders"),
        *((f"many-{number}", 900, "larger than 0 KiB") for number in [6]),
    ],
)
def test_a_tree_has_an_end(tmp_path: Path, at: str, size: int, why: str) -> None:
    with filled(tmp_path) as tree:
        names = [at] if not at.startswith("many") else [f"many-{number}" for number in range(6)]
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x" * size)
        with pytest.raises(UnfitError, match=why):
            tree.files(LIMITS)


def test_too_many_files_are_too_many(tmp_path: Path) -> None:
    for number in range(21):
        (tmp_path / f"f{number}").touch()
    with pytest.raises(UnfitError, match="holds more than 20 files and folders"):
        files(tmp_path)


def test_a_tree_that_takes_too_long_is_left(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(UnfitError, match="takes longer than 0 s"):
        files(tmp_path, Limits(1, 1, 20, seconds=0))


@pytest.mark.parametrize("at", ["a", "b", "b/d", "b/d/e"])
def test_what_everybody_may_change_below_is_refused(tmp_path: Path, at: str) -> None:
    with filled(tmp_path) as tree:
        (tmp_path / at).chmod(0o777 if (tmp_path / at).is_dir() else 0o666)
        with pytest.raises(UnfitError, match=f"^{tmp_path / at}: everybody on this machine"):
            tree.files(LIMITS)


@as_root
@pytest.mark.parametrize("at", ["", "a", "b/d", "b/d/e"])
def test_what_a_stranger_owns_below_is_refused(tmp_path: Path, at: str) -> None:
    with filled(tmp_path / "root"):
        os.chown(tmp_path / "root" / at, 65534, -1)
        with pytest.raises(UnfitError, match="belongs to"):
            files(tmp_path / "root")


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    with Tree.open(tmp_path / "new/root", make=True) as tree:
        tree.write("x/y/z", b"content", 0o640)
        tree.write("x/y/z", b"other", 0o644)
    assert (tmp_path / "new/root/x/y/z").read_bytes() == b"other"
    assert stat.S_IMODE((tmp_path / "new/root/x/y/z").stat().st_mode) == 0o644
    assert [one.name for one in (tmp_path / "new/root/x/y").iterdir()] == ["z"]


def test_a_removed_file_takes_empty_folders_along(tmp_path: Path) -> None:
    with filled(tmp_path) as tree:
        tree.remove("b/d/e")
        assert tree.files(LIMITS) == {"a": b"a", "b/c": b"b/c"}
        assert not (tmp_path / "b/d").exists()
        tree.remove("b/c")
        assert tree.names() == {"a": False}


@pytest.mark.parametrize("at", ["a/x", "b"])
def test_a_file_is_no_folder_nor_the_other_way_round(tmp_path: Path, at: str) -> None:
    with (
        filled(tmp_path) as tree,
        pytest.raises(UnfitError, match=r"is a (file, not a folder|folder, not a file)"),
    ):
        tree.write(at, b"", 0o644)


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with filled(tmp_path) as tree:
        tree.files(LIMITS)
        tree.write("n/m", b"", 0o644)
        tree.remove("n/m")
    for planted in ("x", "b/x"):
        (tmp_path / planted).symlink_to("/etc/passwd")
        with pytest.raises(UnfitError):
            files(tmp_path)
        (tmp_path / planted).unlink()
    with pytest.raises(UnfitError):
        Tree.open(tmp_path / "a")
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_folder_that_is_made_is_nobody_elses_to_change_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Tree.open(tmp_path / "new/root", make=True) as tree:
            tree.write("x/y", b"", 0o644)
            assert tree.files(LIMITS) == {"x/y": b""}
    finally:
        os.umask(before)


def test_a_name_that_somebody_gave_in_everybodys_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "private").write_text("mine")
    below = tmp_path / "root/sticky"
    below.mkdir(parents=True)
    os.link(tmp_path / "private", below / "x")
    assert files(tmp_path / "root") == {"sticky/x": b"mine"}
    below.chmod(0o1777)
    with pytest.raises(UnfitError, match="sticky/x: has another name elsewhere"):
        files(tmp_path / "root")


def test_a_name_is_one_line_of_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "a\n\x1b[31merror: all is well").symlink_to("x")
    with pytest.raises(UnfitError) as told:
        files(tmp_path)
    assert str(told.value).split("\n")[0] == (
        f"{tmp_path}/a error: all is well: is a link, and links are not followed"
    )


def test_what_stands_in_the_way_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "file").touch()
    with Tree.open(tmp_path) as tree:
        for at in ("a/new", "new/new/new", "file", "a/b/c"):
            tree.refuse(at)
        for at, why in (
            ("file/x", "is a file, not a folder"),
            ("a/b", "is a folder, not a file"),
            ("file/x/y", "is a file"),
        ):
            with pytest.raises(UnfitError, match=why):
                tree.refuse(at)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "file"]


@pytest.mark.parametrize("at", ["", "inner", "inner/file"])
def test_an_access_list_lets_nobody_into_a_tree(at: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/file").write_text("a")
    let_in(tmp_path / at, 65534)
    with pytest.raises(UnfitError, match="an access list lets others change"), Tree.open(tmp_path) as tree:
        tree.files(Limits(100, 100, 10))
