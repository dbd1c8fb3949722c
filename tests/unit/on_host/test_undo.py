"""Putting files back and what the journal says of it; containers need a host (tests/lab)."""

from __future__ import annotations

import errno
import json
import os
import struct
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import arming, unattended, users
from tempo_infra.on_host.arming import arm, confirm, rollback
from tempo_infra.on_host.journal import Entry, confirmed, entries, history, last_good, record
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.snapshot import take
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.unattended import after_boot, boot
from tempo_infra.on_host.undo import restore_files

CONF = "etc/x.d/60.conf"
ARMED = guard.Armed(
    run="r1",
    who="someone",
    boot_id="boot-1",
    generation="b" * 64,
    previous="a" * 64,
    before="runs/r1/before",
    program="program-x.zip",
    host="10.0.0.1",
)


def host(root: Path, armed: guard.Armed = ARMED, boot_id: str = "boot-1") -> Layout:
    """A host that was switched from generation a (file "old") to b (file "new") and not confirmed."""
    layout = Layout(root)
    for path, text in (
        ("proc/sys/kernel/random/boot_id", f"{boot_id}\n"),
        (CONF, "old\n"),
        (f"var/lib/tempo-infra/generations/{'b' * 64}/{CONF}", "new\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    take(layout, layout.state / armed.before, [CONF], ())
    layout.installed(CONF).write_text("new\n")
    layout.current.symlink_to(f"generations/{'b' * 64}")
    guard.write(layout, armed)
    return layout


def test_files_and_symlink_go_back_to_the_generation_before(tmp_path: Path) -> None:
    layout = host(tmp_path)
    restore_files(layout, ARMED)
    assert layout.installed(CONF).read_text() == "old\n"
    assert layout.current.readlink() == Path(f"generations/{'a' * 64}")


OTHERS = ("etc/a.d/1.conf", "etc/z.d/9.conf")  # of the new generation: not there before


@pytest.mark.parametrize("stuck", [CONF, OTHERS[0]])
def test_a_file_that_can_not_be_put_back_is_named_and_keeps_nothing_else_from_it(
    tmp_path: Path, stuck: str
) -> None:
    """Somebody has made a folder of it. What a person reads then: all but what is named is as it was."""
    layout = host(tmp_path)
    take(layout, layout.state / "runs/r2/before", [CONF, *OTHERS], ())
    layout.installed(CONF).write_text("new\n")
    (tmp_path / "proc/sys/vm").mkdir(parents=True)
    (tmp_path / "proc/sys/vm/swappiness").write_text("1")
    for other in OTHERS:
        layout.installed(other).parent.mkdir()
        layout.installed(other).write_text("new\n")
    body = json.loads((layout.state / "runs/r2/before/before.json").read_text())
    body["live"] = {"proc/sys/vm/swappiness": "60"}
    (layout.state / "runs/r2/before/before.json").write_text(json.dumps(body))
    (layout.state / "runs/r2/before" / CONF).write_text("old\n")
    layout.installed(stuck).unlink()
    (layout.installed(stuck) / "kept").mkdir(parents=True)
    with pytest.raises(StepError, match=f"/{stuck} can't be put back: Is a directory") as told:
        restore_files(layout, replace(ARMED, before="runs/r2/before"))
    assert str(told.value).count("put back") == 1
    left = [path for path in (CONF, *OTHERS) if path != stuck and layout.installed(path).is_file()]
    assert [layout.installed(path).read_text() for path in left] == ["old\n"] * (stuck != CONF)
    assert (tmp_path / "proc/sys/vm/swappiness").read_text() == "60\n"
    assert layout.current.readlink() == Path(f"generations/{'a' * 64}")


def test_without_a_generation_before_the_symlink_goes(tmp_path: Path) -> None:
    first = replace(ARMED, previous=None)
    layout = host(tmp_path, first)
    restore_files(layout, first)
    assert not layout.current.is_symlink()


def test_a_boot_puts_files_back_before_docker_and_says_so(tmp_path: Path) -> None:
    layout = host(tmp_path, boot_id="boot-2")
    assert boot(layout) == 0
    assert layout.installed(CONF).read_text() == "old\n"
    assert layout.current.readlink() == Path(f"generations/{'a' * 64}")
    state = guard.read(layout)
    assert state is not None
    assert state.phase == "restored"
    assert [(e.step, e.result) for e in entries(layout)] == [("rollback", "started")]


def test_a_full_disk_keeps_a_boot_from_nothing_but_its_line_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else Docker would start with the new generation's files; /etc may well be on another disk."""
    layout = host(tmp_path, boot_id="boot-2")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unattended, "record", full)
    assert boot(layout) == 0
    assert layout.installed(CONF).read_text() == "old\n"
    assert layout.current.readlink() == Path(f"generations/{'a' * 64}")


@pytest.mark.parametrize("program", [boot, after_boot])
def test_the_boot_units_do_nothing_in_the_boot_that_armed(tmp_path: Path, program: type) -> None:
    """Docker may be restarted by hand in the middle of a run."""
    layout = host(tmp_path)
    assert program(layout) == 0
    assert layout.installed(CONF).read_text() == "new\n"


@pytest.mark.parametrize("phase", ["held", "failed"])
def test_a_boot_leaves_alone_what_waits_for_a_person(tmp_path: Path, phase: str) -> None:
    layout = host(tmp_path, replace(ARMED, phase=phase), boot_id="boot-2")
    boot(layout)
    assert layout.installed(CONF).read_text() == "new\n"


def test_a_confirmation_that_the_power_cut_short_stays_a_confirmation(tmp_path: Path) -> None:
    layout = host(tmp_path, boot_id="boot-2")
    record(layout, Entry("r1", "confirm", "confirmed", "b" * 64))
    boot(layout)
    assert guard.read(layout) is None
    assert layout.installed(CONF).read_text() == "new\n"


def test_a_host_that_decided_by_itself_takes_no_confirmation_any_more(tmp_path: Path) -> None:
    layout = host(tmp_path, replace(ARMED, phase="held"))
    with pytest.raises(StepError, match="run r1 is over on this host"):
        confirm(layout, change.Confirm("r1", ""))
    assert rollback(layout, change.Rollback("r1", ""), print) == {"now": "nothing to put back"}


def test_a_host_that_is_confirmed_says_so_when_it_is_told_to_go_back(tmp_path: Path) -> None:
    """Another one failed at the confirmation: the operator must learn which hosts are new now."""
    layout = host(tmp_path)
    record(layout, Entry("r1", "confirm", "confirmed", "b" * 64))
    guard.disarm(layout, ARMED)
    assert rollback(layout, change.Rollback("r1", ""), print) == {"now": f"confirmed: {'b' * 12}"}


@pytest.mark.parametrize(("seen", "says"), [("c" * 64, "moved since the plan"), ("b" * 64, "is not over")])
def test_nothing_is_armed_over_an_open_run_or_a_host_that_moved(tmp_path: Path, seen: str, says: str) -> None:
    layout = host(tmp_path)
    (layout.generations / ("b" * 64)).mkdir(exist_ok=True)
    with pytest.raises(StepError, match=says):
        arm(layout, change.Arm("r2", "other", "d" * 64, seen, "10.0.0.1", []))
    state = guard.read(layout)
    assert state is not None
    assert state.run == "r1"


def test_the_journal_tells_what_is_confirmed_and_what_a_failure_goes_back_to(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    said = []
    for entry in (
        Entry("1", "confirm", "confirmed", "a"),
        Entry("2", "switch", "started", "b"),
        Entry("2", "rollback", "rolled back", "a"),
        Entry("3", "switch", "started", "c"),
        Entry("3", "confirm", "confirmed", "c"),
        Entry("4", "rollback", "rolled back", ""),
    ):
        record(layout, entry)
        said.append((confirmed(layout), last_good(layout)))
    assert said == [("a", "a"), (None, "a"), ("a", "a"), (None, "a"), ("c", "c"), (None, None)]
    assert history(layout) == ["a", "c"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
@pytest.mark.parametrize("place", ["postgres", "postgres/data"])
@pytest.mark.parametrize(
    ("named", "owner", "other"),
    [
        (asdict(users.OWN), 60901, 999),
        (None, 999, 60901),
        ({**asdict(users.OWN), "postgresql": 999}, 999, 60901),
    ],
)
def test_a_generation_whose_database_is_not_its_datas_owner_is_not_armed(
    named: dict[str, int] | None, owner: int, other: int, place: str, tmp_path: Path
) -> None:
    """Nothing has stopped by then; on a host without the database nobody owns any."""
    layout = host(tmp_path)
    guard.disarm(layout, ARMED)
    folder = layout.data / place
    (folder / "global").mkdir(parents=True)
    (folder / "global/pg_control").write_bytes(struct.pack("=Q", 7712))
    (folder / "PG_VERSION").write_text("17\n")
    for generation, service in (("c" * 64, "postgresql"), ("d" * 64, "history"), ("b" * 64, "ui")):
        (layout.generations / generation).mkdir(parents=True, exist_ok=True)
        services = {service: {"image": "x", "job": True}}  # so that no image has to be here
        body = {"files": {}, "services": services, **({"users": named} if named else {})}
        (layout.generations / generation / "manifest.json").write_text(json.dumps(body))
    folder.chmod(0o700)
    for found, says in ((other, True), (owner, False)):
        os.chown(folder, found, found)
        why = f"the data of /srv/tempo/{place} belongs to user {other}, its container would run as {owner}"
        assert arming._not_its_data(layout, "c" * 64) == (why if says else "")
        assert arming._not_its_data(layout, "d" * 64) == arming._not_its_data(layout, "0") == ""
    os.chown(folder, other, other)
    (layout.generations / ("c" * 64) / "docker-compose.yml").write_text("services: {}\n")
    (layout.generations / ("b" * 64) / "docker-compose.yml").write_text("services: {}\n")
    current = layout.current.resolve().name if layout.current.is_symlink() else None
    with pytest.raises(StepError, match=f"belongs to user {other}"):
        arm(layout, change.Arm("r2", "other", "c" * 64, current, "10.0.0.1", []))
    assert guard.read(layout) is None


def test_a_generation_whose_password_a_rotation_retired_is_not_armed(tmp_path: Path) -> None:
    layout = host(tmp_path)
    guard.disarm(layout, ARMED)
    digest = "c" * 64
    for generation in (digest, "b" * 64):
        folder = layout.generations / generation
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text('{"files": {}, "services": {}}')
        (folder / "docker-compose.yml").write_text(f"source: {layout.secrets}/temporal\n")
    current = layout.current.resolve().name if layout.current.is_symlink() else None
    with pytest.raises(StepError, match="which a rotation of the password took away"):
        arm(layout, change.Arm("r2", "other", digest, current, "10.0.0.1", []))
    assert guard.read(layout) is None
