from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tempo_infra.on_host.durable import append_line, make_folder, replace_file, replace_symlink, write_new


def test_a_replaced_file_has_new_content_and_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "conf"
    target.write_bytes(b"old")
    replace_file(target, b"new", 0o640)
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    """The name is a folder: the rename fails after the temporary file was written."""
    target = tmp_path / "conf"
    target.mkdir()
    (target / "kept").touch()
    with pytest.raises(OSError, match="directory"):
        replace_file(target, b"new", 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]
    assert (target / "kept").exists()


def test_a_planted_symlink_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "conf").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "conf", b"theirs", 0o600)
    replace_file(tmp_path / "conf", b"new", 0o600)
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "conf").read_bytes() == b"new"


def test_a_symlink_is_swapped_at_once(tmp_path: Path) -> None:
    link = tmp_path / "current"
    replace_symlink(link, "generations/a")
    replace_symlink(link, "generations/b")
    assert str(link.readlink()) == "generations/b"


def test_folders_get_their_mode_also_when_they_exist(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_folder(folder, 0o700)
    folder.chmod(0o777)
    make_folder(folder, 0o700)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_lines_are_appended(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    append_line(journal, "one")
    append_line(journal, "two")
    assert journal.read_text() == "one\ntwo\n"
