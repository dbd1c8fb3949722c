"""Single files: what is not taken, and that the old file stays whole."""

from __future__ import annotations

import grp
import os
import resource
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_infra.trees import Tree, UnfitError, create, locked, read, straight, write
from tests.unit.trees.strangers import as_root, let_in, shared_group

MOST = 1 << 20
Plant = Callable[[Path], None]


def _link(path: Path) -> None:
    target = path.with_name("target")
    target.write_text("secret")
    path.symlink_to(target)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


PLANTED: list[tuple[Plant, str]] = [
    (_link, "is a link"),
    (lambda path: path.symlink_to("/nothing/there"), "is a link"),
    (lambda path: path.symlink_to("/dev/zero"), "is a link"),
    (os.mkfifo, "is a pipe"),
    (_socket, "is a socket"),
    (Path.mkdir, "is a folder, not a file"),
]


@pytest.mark.parametrize(("plant", "why"), PLANTED)
def test_what_is_no_file_is_neither_read_nor_written(tmp_path: Path, plant: Plant, why: str) -> None:
    path = tmp_path / "x"
    plant(path)
    before = path.lstat()
    began = time.monotonic()
    with pytest.raises(UnfitError, match=why):
        read(path, MOST)
    with pytest.raises(UnfitError, match=why):
        write(path, b"new")
    assert time.monotonic() - began < 5  # a pipe nobody writes to holds nobody up
    assert path.lstat() == before
    if plant is _link:
        assert (tmp_path / "target").read_text() == "secret"


@as_root
def test_a_device_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this machine makes no devices")
    with pytest.raises(UnfitError, match="is a device"):
        read(tmp_path / "null", MOST)


@pytest.mark.parametrize("where", ["a", "a/b", "a/b/file"])
def test_no_component_of_a_relative_path_is_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("content")
    monkeypatch.chdir(tmp_path)
    place = Path("a/b/file")
    assert read(place, MOST) == b"content"
    Path(where).rename("elsewhere")
    Path(where).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnfitError, match=f"^{where}: is a link"):
        read(place, MOST)
    with pytest.raises(UnfitError, match=f"^{where}: is a link"):
        write(place, b"new")
    if where != "a/b/file":
        with pytest.raises(UnfitError, match=f"^{where}: is a link"):
            write(place.parent / "more/new", b"new", make=True)
    assert not list(tmp_path.rglob("more"))


def test_a_path_from_the_root_may_lead_through_links_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "real")
    write(tmp_path / "way/file", b"content")
    assert read(tmp_path / "way/file", MOST) == b"content"


@pytest.mark.parametrize("target", ["real", "../{name}/real", "{folder}/real", "{folder}/other/../real"])
def test_links_lead_on_as_the_system_has_it(tmp_path: Path, target: str) -> None:
    (tmp_path / "real/below").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "way").symlink_to(target.format(name=tmp_path.name, folder=tmp_path))
    (tmp_path / "again").symlink_to("way/below")
    write(tmp_path / "again/../below/file", b"content")
    assert (tmp_path / "real/below/file").read_bytes() == b"content"
    write(tmp_path / "way/new/file", b"content", make=True)
    assert read(tmp_path / "real/new/file", MOST) == b"content"
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "way/none/file", MOST)


def test_links_that_lead_to_each_other_have_an_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UnfitError, match="too many levels of symbolic links"):
        read(tmp_path / "a/file", MOST)


STRANGER = 12345


def _strangers_link(folder: Path, mode: int, owner: int) -> Path:
    """Let a folder have that mode, and in it a link to a place where a file of ours is."""
    real = folder.parent / "real"
    for one in (folder, real):
        one.mkdir()
    (real / "file").write_text("mine, and another one than is meant")
    (folder / "way").symlink_to(real)
    os.lchown(folder / "way", owner, owner)
    folder.chmod(mode)
    return folder / "way/file"


@as_root
@pytest.mark.parametrize("by", ["", "a link of ours"])
@pytest.mark.parametrize("mode", [0o1777, 0o1775])
def test_a_strangers_link_in_everybodys_folder_is_not_followed(tmp_path: Path, mode: int, by: str) -> None:
    path = _strangers_link(tmp_path / "shared", mode, STRANGER)
    if by:
        (tmp_path / "home").symlink_to(tmp_path / "shared")
        path = tmp_path / "home/way/file"
    said = f"^{tmp_path}/shared/way: is a link that belongs to user id {STRANGER}"
    for act in (
        lambda: read(path, MOST),
        lambda: write(path, b"new"),
        lambda: write(path, b"new", shared=True),
        lambda: write(path.parent / "more/new", b"new", make=True),
        lambda: Tree.open(path.parent / "more"),
    ):
        with pytest.raises(UnfitError, match=said):
            act()
    assert [one.name for one in (tmp_path / "real").iterdir()] == ["file"]
    os.lchown(tmp_path / "shared/way", 0, 0)
    assert read(path, MOST).startswith(b"mine")


@as_root
def test_a_link_that_whoever_may_put_another_in_its_place_is_not_followed(tmp_path: Path) -> None:
    path = _strangers_link(tmp_path / "open", 0o777, 0)
    with pytest.raises(UnfitError, match="open: everybody on this machine may change what is in it"):
        read(path, MOST)


@as_root
def test_a_link_that_the_folders_owner_gave_away_is_the_owners(tmp_path: Path) -> None:
    assert read(_strangers_link(tmp_path / "own", 0o755, STRANGER), MOST).startswith(b"mine")


def test_up_and_down_again_is_a_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("content")
    monkeypatch.chdir(tmp_path / "a")
    assert read(Path("../b"), MOST) == b"content"


@pytest.mark.parametrize("content", [b"", b"x" * MOST])
def test_a_file_of_up_to_the_limit_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert read(tmp_path / "x", MOST) == content


@pytest.mark.parametrize("size", [MOST + 1, 1 << 40])
def test_a_larger_file_is_not_read_at_all(tmp_path: Path, size: int) -> None:
    with (tmp_path / "x").open("wb") as file:
        os.truncate(file.fileno(), size)
    with pytest.raises(UnfitError, match="is larger than 1 MiB"):
        read(tmp_path / "x", MOST)


def test_a_file_without_a_size_is_bounded_too() -> None:
    with pytest.raises(UnfitError, match="is larger than 0 KiB"):
        read(Path("/proc/self/status"), 10)


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o777])
def test_what_everybody_may_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x"
    path.touch()
    path.chmod(mode)
    with pytest.raises(UnfitError, match=rf"everybody on this machine may change it \({mode:04o}\)") as told:
        read(path, MOST)
    assert told.value.remedy == f"chmod o-w {path}"


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_folder_on_the_way_that_everybody_may_change_is_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a/b/file"
    path.parent.mkdir(parents=True)
    path.touch()
    path.parents[depth].chmod(0o777)
    with pytest.raises(UnfitError, match=f"^{path.parents[depth]}: everybody .* may change what is in it"):
        read(path, MOST)
    path.parents[depth].chmod(0o1777)  # as /tmp: nobody replaces another's files there
    assert read(path, MOST) == b""


@pytest.mark.parametrize("mode", [0o1777, pytest.param(0o1770, marks=as_root)])
def test_a_name_that_somebody_gave_in_everybodys_folder_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "private").write_text("mine")
    folder = tmp_path / "sticky"
    folder.mkdir()
    if mode == 0o1770:
        os.chown(folder, -1, 65534)
    folder.chmod(mode)
    os.link(tmp_path / "private", folder / "inventory.yaml")
    with pytest.raises(UnfitError, match="has another name elsewhere"):
        read(folder / "inventory.yaml", MOST)


@as_root
@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_a_stranger_owns_is_refused(tmp_path: Path, which: str) -> None:
    path = tmp_path / "folder/file"
    path.parent.mkdir()
    path.touch()
    os.chown(path if which == "file" else path.parent, 65534, -1)
    with pytest.raises(UnfitError, match=r"belongs to .*65534\), not to you"):
        read(path, MOST)


@as_root
def test_who_became_root_by_sudo_is_no_stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    os.chown(path, 12345, -1)
    monkeypatch.setenv("SUDO_UID", "12345")
    assert read(path, MOST) == b"mine"


@as_root
def test_a_group_counts_unless_nobody_else_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o664)
    with shared_group() as gid:
        os.chown(path, -1, gid)
        with pytest.raises(
            UnfitError, match=rf"its group {grp.getgrgid(gid).gr_name} may change it \(0664\)"
        ):
            read(path, MOST)
    path.chmod(0o644)
    assert read(path, MOST) == b""


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        *((0o600, 0o600), (0o640, 0o640), (0o755, 0o755), (0o4755, 0o755), (0o2750, 0o750), (0o1644, 0o644)),
        *((0o666, 0o644), (0o6777, 0o644)),  # what others may change is not read: its mode says nothing
    ],
)
def test_a_mode_is_kept_without_what_it_lets_others_do(tmp_path: Path, there: int, kept: int) -> None:
    path = tmp_path / "x"
    path.touch()
    path.chmod(there)
    write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == kept


@as_root
@pytest.mark.parametrize("mode", [0o4777, 0o6755, 0o4711, 0o600, 0o000])
@pytest.mark.parametrize("shared", [True, False])
def test_a_stranger_does_not_choose_the_mode_of_what_is_written(
    tmp_path: Path, mode: int, *, shared: bool
) -> None:
    path = tmp_path / "sticky/x"
    path.parent.mkdir()
    path.parent.chmod(0o1777)
    path.touch()
    os.chown(path, 65534, 65534)
    path.chmod(mode)
    write(path, b"new", shared=shared)
    found = path.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o644)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_private_file_is_nobody_elses_to_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.touch()
    path.chmod(mode)
    with pytest.raises(UnfitError, match=rf"can be read by others \(mode {mode:04o}\)"):
        read(path, MOST, private=True)
    path.chmod(0o600)
    assert read(path, MOST, private=True) == b""


def test_a_missing_file_is_the_callers_to_explain(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "x", MOST)
    with pytest.raises(UnfitError, match="there is no such folder"):
        write(tmp_path / "no/x", b"")


@pytest.mark.parametrize(("mode", "expected"), [(None, 0o640), (0o600, 0o600)])
def test_a_file_is_replaced_and_its_mode_kept_or_set(tmp_path: Path, mode: int | None, expected: int) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o640)
    inode = path.stat().st_ino
    write(path, b"new", mode=mode)
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != inode
    assert stat.S_IMODE(path.stat().st_mode) == expected
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_another_name_of_a_replaced_file_keeps_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("old")
    os.link(tmp_path / "theirs", tmp_path / "x")
    write(tmp_path / "x", b"new")
    assert (tmp_path / "theirs").read_text() == "old"


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(UnfitError, match="can't be written: file too large"):
            write(path, b"y" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_a_report_may_lie_in_a_folder_of_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UnfitError, match="everybody on this machine"):
        write(tmp_path / "x", b"")
    write(tmp_path / "x", b"report", shared=True)
    assert (tmp_path / "x").read_bytes() == b"report"


def test_a_file_that_is_there_is_not_created_again(tmp_path: Path) -> None:
    create(tmp_path / "new/x", b"first")
    create(tmp_path / "new/x", b"second")
    assert (tmp_path / "new/x").read_bytes() == b"first"
    assert stat.S_IMODE((tmp_path / "new/x").stat().st_mode) == 0o600
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["x"]


def test_a_lock_is_held_until_its_end(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("in/x", True),
        ("in/sub/x", True),
        ("in/../in/x", True),
        ("x", False),
        ("link/x", False),
        ("in/way/x", False),
    ],
)
def test_a_straight_way_stays_below_and_leads_through_no_link(
    tmp_path: Path, path: str, *, expected: bool
) -> None:
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("in")
    (tmp_path / "in/way").symlink_to("sub")
    assert straight(tmp_path / "in", tmp_path / path) is expected
    assert straight(tmp_path / "link", tmp_path / "link" / "sub" / "x")


@pytest.mark.parametrize("at", ["", "file"])
def test_whom_an_access_list_lets_change_it_is_somebody_else(at: str, tmp_path: Path) -> None:
    """Such a file looks like one that its owner's own group may change, and that group has nobody else."""
    (tmp_path / "file").write_text("a")
    let_in(tmp_path / at, 65534)
    with pytest.raises(UnfitError, match="an access list lets others change"):
        read(tmp_path / "file", MOST)
