from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host.kernel_before import give_back, remember
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.snapshot import put_back, take

CONF, OTHER = "etc/sysctl.d/60-x.conf", "etc/x.d/70.conf"


def host(root: Path) -> Layout:
    """A root with one kernel value, and a new generation that would change it."""
    for path, text in (
        ("proc/sys/vm/swappiness", "60\n"),
        ("sys/kernel/mm/thp", "always [madvise] never\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Layout(root)


def kept(layout: Layout, *owned: str) -> Path:
    folder = layout.state / "runs/abc/before"
    take(layout, folder, list(owned), ["proc/sys/vm/swappiness", "sys/kernel/mm/thp"])
    return folder


def test_a_file_that_was_there_comes_back_with_content_and_mode(tmp_path: Path) -> None:
    layout = host(tmp_path)
    target = layout.installed(OTHER)
    target.parent.mkdir(parents=True)
    target.write_text("an admin's\n")
    target.chmod(0o640)
    folder = kept(layout, OTHER)
    target.write_text("ours\n")
    target.chmod(0o644)
    put_back(layout, folder)
    assert target.read_text() == "an admin's\n"
    assert target.stat().st_mode & 0o7777 == 0o640


def test_a_file_that_was_not_there_goes(tmp_path: Path) -> None:
    layout = host(tmp_path)
    folder = kept(layout, OTHER)
    layout.installed(OTHER).parent.mkdir(parents=True)
    layout.installed(OTHER).write_text("ours\n")
    put_back(layout, folder)
    put_back(layout, folder)
    assert not layout.installed(OTHER).exists()


def test_live_kernel_values_that_the_new_files_name_come_back(tmp_path: Path) -> None:
    layout = host(tmp_path)
    folder = kept(layout, CONF, "etc/tmpfiles.d/60-x.conf")
    (tmp_path / "proc/sys/vm/swappiness").write_text("1\n")
    (tmp_path / "sys/kernel/mm/thp").write_text("always madvise [never]\n")
    put_back(layout, folder)
    assert (tmp_path / "proc/sys/vm/swappiness").read_text() == "60\n"
    assert (tmp_path / "sys/kernel/mm/thp").read_text() == "madvise\n"
    assert set(json.loads((folder / "before.json").read_text())["live"]) == {
        "proc/sys/vm/swappiness",
        "sys/kernel/mm/thp",
    }


def test_a_planted_symlink_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    layout = host(tmp_path)
    layout.installed(OTHER).parent.mkdir(parents=True)
    layout.installed(OTHER).symlink_to("/etc/passwd")
    with pytest.raises(StepError, match="not a plain file"):
        kept(layout, OTHER)
    assert not (layout.state / "runs/abc/before").exists()
    assert str(layout.installed(OTHER).readlink()) == "/etc/passwd"


def test_a_kernel_value_that_a_generation_leaves_out_is_given_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    live = tmp_path / "proc/sys/vm/swappiness"
    live.parent.mkdir(parents=True)
    live.write_text("60\n")
    layout.state.mkdir(parents=True)
    remember(layout, {"proc/sys/vm/swappiness": "60"})
    live.write_text("5\n")
    remember(layout, {"proc/sys/vm/swappiness": "5"})  # of the next change: the first one counts
    give_back(layout, ["proc/sys/vm/swappiness", "proc/sys/vm/never_ours"])
    assert live.read_text() == "60\n"
    assert not (tmp_path / "proc/sys/vm/never_ours").exists()


def test_the_value_that_was_in_force_is_kept_too_where_the_kernel_holds_one_of_two(tmp_path: Path) -> None:
    """With vm.dirty_ratio in force, vm.dirty_bytes reads 0, and the kernel takes no 0."""
    layout = host(tmp_path)
    for name, text in (("dirty_bytes", "0\n"), ("dirty_ratio", "20\n")):
        (tmp_path / "proc/sys/vm" / name).write_text(text)
    folder = layout.state / "runs/abc/before"
    take(layout, folder, [CONF], ["proc/sys/vm/dirty_bytes"])
    (tmp_path / "proc/sys/vm/dirty_ratio").write_text("0\n")
    put_back(layout, folder)
    assert (tmp_path / "proc/sys/vm/dirty_ratio").read_text() == "20\n"
