"""The data folder belongs to a container: what lies there is looked at without harm and without waiting."""

from __future__ import annotations

import ast
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tempo_infra.on_host import (
    data_folder,
    identity,
    leaving,
    manifest,
    material,
    preflight,
    untrusted,
    users,
)
from tempo_infra.on_host.data_folder import Found, look, look_or_why
from tempo_infra.on_host.database import make_data_folder
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.login import login
from tempo_infra.on_host.manifest import Manifest, Material
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change, upkeep
from tests.unit.source import nodes

SECRET = "root:$6$hash-of-root:20000:0:99999:7:::"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host with a database, and a file that nobody in a container may see."""
    made = Layout(tmp_path)
    (made.data / "postgres/global").mkdir(parents=True)
    (made.data / "postgres").chmod(0o700)
    (made.data / "postgres/PG_VERSION").write_text("17\n")
    (made.data / "postgres/global/pg_control").write_bytes(struct.pack("=Q", 7712) + bytes(8184))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text(SECRET)
    return made


def link(to: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(to)


def linked_to_the_secret(path: Path) -> None:
    root = next(one for one in path.parents if (one / "etc/shadow").exists())
    path.symlink_to(root / "etc/shadow")


def listens(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 42)


PLANTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link to a file of the host": (linked_to_the_secret, "a link"),
    "a link to a device": (link("/dev/zero"), "a link"),
    "a link into /proc": (link("/proc/self/environ"), "a link"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "a link"),
    "a link to nothing": (link("/no/such/file"), "a link"),
    "a pipe": (os.mkfifo, "a pipe"),
    "a socket": (listens, "a socket"),
    "a folder": (lambda path: path.mkdir(), "a folder"),
}
FILES = ("PG_VERSION", "global/pg_control")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_no_file_is_named_and_not_followed(layout: Layout, name: str, kind: str) -> None:
    plant, called = PLANTED[kind]
    path = layout.data / "postgres" / name
    path.unlink()
    plant(path)
    found = look(layout)
    assert found.problem == f"{path} is {called}, not a file"
    assert (found.version, found.number, found.others) == (None, None, [])
    with pytest.raises(StepError, match=f"is {called}, not a file"):
        make_data_folder(layout, change.Data())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_not_opened(layout: Layout) -> None:
    path = layout.data / "postgres/PG_VERSION"
    path.unlink()
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # zero
    assert look(layout).problem == f"{path} is a device, not a file"


@pytest.mark.parametrize("name", ["postgres", "postgres/global"])
def test_a_folder_that_is_a_link_leads_nowhere(layout: Layout, tmp_path: Path, name: str) -> None:
    (layout.data / name).rename(tmp_path / "elsewhere")
    (layout.data / name).symlink_to(tmp_path / "elsewhere")
    assert look(layout).problem == f"{layout.data / name} is a link, not a folder"
    with pytest.raises(StepError, match="is a link, not a folder"):
        make_data_folder(layout, change.Data())
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 != 0o777  # nothing was set right through it


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (b"17\n", "17"),
        (b"9", "9"),
        (SECRET.encode(), None),
        (b"9.6\n", None),
        (b"17\nroot", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"170", None),
        ("\u0661\u0667".encode(), None),
    ],
)
def test_a_version_is_a_number_and_nothing_else_is_shown(
    layout: Layout, content: bytes, version: str | None
) -> None:
    (layout.data / "postgres/PG_VERSION").write_bytes(content)
    assert look(layout).version == version


def test_files_without_an_end_are_read_no_further_than_needed(layout: Layout) -> None:
    for name in FILES:
        sparse(layout.data / "postgres" / name)
    found = look(layout)
    assert (found.version, found.number, found.problem) == (None, str(7712), "")


def test_a_folder_without_a_database_says_what_is_there_and_no_more_than_some_of_it(layout: Layout) -> None:
    (layout.data / "postgres/global/pg_control").write_bytes(b"cut")
    (layout.data / "postgres/lost+found").mkdir()
    assert look(layout).others == ["PG_VERSION", "global"]
    for number in range(300):
        (layout.data / f"postgres/{number}").touch()
    assert len(look(layout).others) <= untrusted.MOST_NAMES


def test_an_empty_host_has_nothing_there(tmp_path: Path) -> None:
    found = look(Layout(tmp_path))
    assert found.free_bytes
    assert found == Found(free_bytes=found.free_bytes)


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("srv", 0o777, "/srv can be written by others (0777): they could replace"),
        ("srv/tempo/postgres", 0o770, "/srv/tempo/postgres can be written by others (0770)"),
        ("srv/tempo/postgres", 0o702, "/srv/tempo/postgres can be written by others (0702)"),
        ("srv", 0o1777, ""),
        ("srv/tempo/postgres", 0o750, ""),
    ],
)
def test_nobody_else_may_put_another_folder_in_its_place(
    layout: Layout, name: str, mode: int, says: str
) -> None:
    (layout.root / name).chmod(mode)
    assert says in look(layout).problem
    assert bool(says) == bool(look(layout).problem)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_folder_of_somebody_else_is_refused_where_it_holds_something(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "OWN", replace(users.OWN, postgresql=60901))
    place = layout.data / "postgres"
    assert look(layout).problem == f"{place} belongs to user 0, not to PostgreSQL's (60901 or 999)"
    for owner, other in ((999, 60901), (60901, 999)):
        os.chown(place, owner, owner)
        assert (look(layout).problem, look(layout).owner) == ("", owner)
        with pytest.raises(StepError, match=f"belongs to user {owner}, its container would run as {other}"):
            make_data_folder(layout, change.Data(uid=other))
        args = change.Preflight(0, 0, "127.0.0.1", database=True, data_uid=other)
        assert preflight._data(layout, args) != []
        make_data_folder(layout, change.Data(uid=owner))
        assert place.stat().st_uid == owner
        assert layout.initdb.stat().st_uid == owner
    os.chown(layout.data, 0, 33)
    layout.data.chmod(0o775)
    assert "/srv/tempo can be written by others (0775): they could replace" in look(layout).problem
    layout.data.chmod(0o755)
    os.chown(layout.data, 1234, 1234)
    assert "/srv/tempo can be written by others (user 1234's)" in look(layout).problem


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_new_file_system_is_set_right(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    (layout.data / "postgres/lost+found").mkdir(parents=True)
    make_data_folder(layout, change.Data(wanted_new=True, uid=60901))
    status, above = ((layout.data / one).stat() for one in ("postgres/data", "postgres"))
    assert (status.st_uid, status.st_mode & 0o7777) == (60901, 0o700)
    assert (above.st_uid, above.st_mode & 0o7777) == (0, 0o755)
    assert layout.pgdata.readlink() == layout.data / "postgres/data"


def test_a_database_of_before_stays_where_it_is(layout: Layout) -> None:
    layout.state.mkdir(parents=True)
    identity.keep(layout, "r1", "7712")
    before = sorted(layout.data.rglob("*"))
    assert look(layout).folder == "postgres"
    make_data_folder(layout, change.Data())
    assert layout.pgdata.readlink() == layout.data / "postgres"
    assert sorted(layout.data.rglob("*")) == before


def moved_inside(layout: Layout) -> Path:
    """The same database as a new one would lie."""
    inside = layout.data / "postgres/data"
    (layout.data / "postgres").rename(layout.data / "old")
    inside.parent.mkdir()
    (layout.data / "old").rename(inside)
    return inside


def test_a_database_in_its_own_folder_is_found_beside_what_a_file_system_brings(layout: Layout) -> None:
    moved_inside(layout)
    (layout.data / "postgres/lost+found").mkdir()
    found = look(layout)
    assert (found.folder, found.version, found.number, found.others, found.problem) == (
        "postgres/data", "17", "7712", [], "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("left", "others"),
    [
        (("mine",), ["mine"]),
        (("data/mine", "lost+found/x"), ["mine"]),
        (("data/lost+found/x",), ["lost+found"]),
        (("lost+found/x",), []),
        (("base/1",), ["base"]),
        (("global/pg_filenode.map",), ["global"]),
    ],
)
def test_what_lies_there_without_a_database_is_named(
    tmp_path: Path, left: tuple[str, ...], others: list[str]
) -> None:
    layout = Layout(tmp_path)
    for one in left:
        (layout.data / "postgres" / one).parent.mkdir(parents=True, exist_ok=True)
        (layout.data / "postgres" / one).touch()
    assert look(layout).others == others


def wanting(root: Path, how: str) -> None:
    """A disk that the host wants mounted at the data folder, in one of the ways to say so."""
    (root / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/vda1 rw\n")
    if how.endswith(".mount"):
        (root / "etc/systemd/system" / how).write_text("[Mount]\n")
    else:
        (root / "etc/fstab").write_text(f"# disks\n{how}\n")


FSTAB = "UUID=1 /srv/tempo/postgres ext4 defaults,nofail 0 2"


@pytest.mark.parametrize(
    ("how", "point"),
    [
        (FSTAB, "/srv/tempo/postgres"),
        ("/dev/vdb /srv/tempo/ xfs defaults", "/srv/tempo"),
        ("srv-tempo-postgres.mount", "/srv/tempo/postgres"),
        (FSTAB.replace("nofail", "noauto"), ""),
        (FSTAB.replace("/srv/tempo/postgres", "/srv/other"), ""),
        ("srv-other.mount", ""),
    ],
)
def test_no_database_is_made_where_a_disk_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, point: str
) -> None:
    """An unmounted volume is an empty folder: on a host without a database nothing else would tell."""
    monkeypatch.setattr(users, "OWN", replace(users.OWN, postgresql=os.geteuid()))
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    wanting(tmp_path, how)
    if not point:
        assert look(layout).problem == ""
        return
    with pytest.raises(StepError, match=f"mounts a disk at {point}, and nothing is mounted there"):
        make_data_folder(layout, change.Data(wanted_new=True))
    assert not (layout.data / "postgres").exists()
    assert not layout.pgdata.is_symlink()
    line = f"23 22 8:16 / {point} rw - ext4 /dev/vdb rw\n"
    with (tmp_path / "proc/self/mountinfo").open("a") as file:
        file.write(line)
    make_data_folder(layout, change.Data(wanted_new=True))
    assert (layout.data / "postgres/data").is_dir()


def test_a_pinned_database_whose_disk_is_missing_is_not_made_anew(layout: Layout) -> None:
    layout.state.mkdir(parents=True)
    identity.keep(layout, "r1", "7712")
    (layout.data / "postgres").rename(layout.data / "away")
    wanting(layout.root, FSTAB)
    with pytest.raises(StepError, match="mounts a disk at /srv/tempo/postgres, and nothing is mounted there"):
        make_data_folder(layout, change.Data())
    assert not (layout.data / "postgres").exists()


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("free", "new", "says"),
    [
        (64 * MIB, False, ""),
        (64 * MIB - 1, False, "the disk of /srv/tempo/postgres has 63 MiB left, PostgreSQL wants 64 MiB"),
        (511 * MIB, True, "the disk of /srv/tempo/postgres has 511 MiB left, PostgreSQL wants 512 MiB"),
        (512 * MIB, True, ""),
        (None, True, ""),
    ],
)
def test_a_disk_without_room_for_a_start_is_named(free: int | None, *, new: bool, says: str) -> None:
    assert data_folder.too_full(free, new=new).partition(":")[0] == says


@pytest.fixture
def hanging(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """A disk that does not answer, as the child sees it; the longest that a question may take."""
    nearest = data_folder.nearest

    def hangs(path: Path) -> Path:
        if path.is_relative_to(layout.data):
            time.sleep(600)
        return nearest(path)

    for name in ("ANSWER_S", "WRITE_S"):
        monkeypatch.setattr(data_folder, name, 0.3)
    monkeypatch.setattr(data_folder, "nearest", hangs)
    began = time.monotonic()
    yield 0.3
    assert time.monotonic() - began < 40 * 0.3


@pytest.mark.thorough
@pytest.mark.usefixtures("hanging")
def test_a_disk_that_hangs_is_a_problem_and_holds_nobody(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("down", "run"):
        monkeypatch.setattr(leaving, name, lambda *_, **__: [])
    found = look_or_why(layout)
    assert found.problem.startswith(
        f"{layout.data} gives no answer in 0.3 s: its disk or network mount hangs"
    )
    with pytest.raises(StepError, match="gives no answer"):
        make_data_folder(layout, change.Data())
    assert "gives no answer in 0.3 s" in data_folder.why_not_written(layout)
    args = change.Preflight(0, 0, "127.0.0.1", database=True)
    with pytest.raises(StepError, match="gives no answer"):
        preflight.preflight(layout, args)
    assert leaving.remove(layout, upkeep.Remove("r", "oslo")).data == [str(layout.data / "postgres")]


def test_a_read_only_mount_is_seen_without_writing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(layout).read_only == ""
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY, f_bavail=1, f_frsize=1))
    assert look(layout).read_only == str(layout.data / "postgres")


@pytest.mark.parametrize("kind", PLANTED)
def test_what_lies_in_the_place_of_a_secret_is_none_and_is_written_over(layout: Layout, kind: str) -> None:
    """The folder of a reader is that reader's: a container, or a person who has its number."""
    folder = layout.secrets / "temporal"
    folder.mkdir(parents=True)
    PLANTED[kind][0](folder / "db_password")
    assert material.found(layout, bytes(32), "temporal/db_password") is None
    with pytest.raises(StepError, match="not a file"):
        login(layout, change.Login("127.0.0.1", 1, "d", "r", "o", "temporal/db_password"))
    if kind == "a folder":
        return  # a rename can't replace it: the step fails, by name
    one = Material("db_password", "temporal", os.geteuid(), material.digest(b"key", b"the new one"))
    files = {manifest.KEY: b"key", f"{material.IN_ARCHIVE}temporal/db_password": b"the new one"}
    written = material.write(layout, Manifest(material={"temporal/db_password": one}), files)
    assert written == ["temporal/db_password"]
    assert not (folder / "db_password").is_symlink()
    assert (folder / "db_password").read_text() == "the new one"
    assert (layout.root / "etc/shadow").read_text() == SECRET


@pytest.mark.parametrize("kind", [one for one in PLANTED if one != "a folder"])
def test_what_lies_in_the_place_of_the_first_password_is_written_over(layout: Layout, kind: str) -> None:
    layout.initdb.mkdir(parents=True)
    PLANTED[kind][0](layout.initdb / "password")
    identity.permit(layout, wanted=False)
    assert (layout.initdb / "password").read_bytes() == b""
    assert not (layout.initdb / "password").is_symlink()


ROOM = Path(data_folder.__file__).parent
# Who may name these folders, and what for. Whatever is read below them is read by `untrusted`.
NAMED_BY = {
    "data": {
        "data_folder.py",
        "database.py",  # its place, in the answer
        "disk_speed.py",  # measured by a child
        "ejecting.py",  # in the README
        "leaving.py",  # its place, in the answer
    },
    "secrets": {
        "material.py",  # makes folders, and files by temporary name and rename
        "ownership.py",  # owner and mode: looked at without following, set by descriptor
        "garbage.py",  # lists names, and takes folders away
        "login.py",
        "arming.py",  # names in a compose file, and whether root's folder has them
        "retiring.py",  # takes folders away, by descriptor
        "ejecting.py",  # as well
        "leftovers.py",  # lists names
    },
    "initdb": {"identity.py"},  # as material.py
}
READS = {"read_text", "read_bytes", "open", "stat", "exists", "is_file", "glob", "rglob", "iterdir", "walk"}


def names_folder(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in NAMED_BY and "layout" in ast.unparse(node.value)


def test_there_is_no_other_way_to_read_what_a_container_writes() -> None:
    for path, node in ((module, node) for module in ROOM.rglob("*.py") for node in nodes(module)):
        if isinstance(node, ast.Attribute) and names_folder(node):
            assert path.name in NAMED_BY[node.attr], f"{path.name}:{node.lineno}: {node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READS:
            reads_there = any(names_folder(inner) for inner in ast.walk(node.func.value))
            assert not reads_there, f"{path.name}:{node.lineno}: {ast.unparse(node)}"
