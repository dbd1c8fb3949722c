from __future__ import annotations

import errno
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.deploy.steps import pack
from tempo_infra.on_host import generation, manifest, snapshot, units
from tempo_infra.on_host.generation import stage, switch
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change
from tempo_infra.render.bundle import Bundle, File

FOLDER = "services/history-0123456789ab"


def bundle(**texts: str) -> Bundle:
    contents = {
        "docker-compose.yml": "services: {}\n",
        f"{FOLDER}/server.yaml": "a: 1\n",
        "etc/x.d/60.conf": "k = 1\n",
    }
    contents.update({name.replace("__", "/").replace("_dot_", "."): text for name, text in texts.items()})
    files = tuple(File(path, text.encode(), 0o644, 0, "") for path, text in sorted(contents.items()))
    return Bundle("db-1", files, {})


def args(made: Bundle, archive: bytes) -> change.Stage:
    return change.Stage(made.digest, hashlib.sha256(archive).hexdigest(), len(archive), payload=archive)


def staged(layout: Layout, made: Bundle) -> None:
    archive = pack(made, {})
    stage(layout, args(made, archive))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_staged_generation_holds_every_file_and_nothing_runs_from_it_yet(tmp_path: Path) -> None:
    layout, made = Layout(tmp_path), bundle()
    staged(layout, made)
    assert names(layout.generations) == [
        f"{made.digest}/docker-compose.yml", f"{made.digest}/etc/x.d/60.conf", f"{made.digest}/manifest.json",
    ]  # fmt: skip
    assert names(layout.services) == ["history-0123456789ab/server.yaml"]
    assert not layout.current.exists()
    assert not (tmp_path / "etc").exists()


def test_staging_again_writes_nothing(tmp_path: Path) -> None:
    layout, made = Layout(tmp_path), bundle()
    archive = pack(made, {})
    assert stage(layout, args(made, archive)).written
    assert not stage(layout, args(made, archive)).written


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_cut_archive_gets_no_name(tmp_path: Path, cut: int) -> None:
    layout, made = Layout(tmp_path), bundle()
    archive = pack(made, {})
    with pytest.raises(StepError, match="arrived cut or changed"):
        stage(layout, replace(args(made, archive), payload=archive[:cut]))
    assert names(tmp_path) == []


def test_a_manifest_that_was_not_planned_is_refused(tmp_path: Path) -> None:
    made, other = bundle(), bundle(docker_dash="x")
    archive = pack(other, {})
    with pytest.raises(StepError, match="not the one that was planned"):
        stage(Layout(tmp_path), replace(args(other, archive), digest=made.digest))


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "services/../../outside"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    archive = buffer.getvalue()
    with pytest.raises(StepError, match="something else than plain files"):
        stage(Layout(tmp_path), args(bundle(), archive))
    assert names(tmp_path) == []


def test_what_an_interrupted_run_left_is_swept(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    leftover = layout.generations / ".half.abc"
    leftover.mkdir(parents=True)
    staged(layout, bundle())
    assert not leftover.exists()


def test_a_switch_installs_owned_files_and_then_moves_the_symlink(tmp_path: Path) -> None:
    layout, made = Layout(tmp_path), bundle()
    staged(layout, made)
    done = switch(layout, change.Switch(made.digest, {"etc/x.d/60.conf": None}))
    assert done.installed == ["etc/x.d/60.conf"]
    assert (tmp_path / "etc/x.d/60.conf").read_text() == "k = 1\n"
    assert layout.current.resolve().name == made.digest


def test_an_owned_file_that_is_no_longer_wanted_goes(tmp_path: Path) -> None:
    layout, old = Layout(tmp_path), bundle(etc__x_dot_d__70_dot_conf="k = 2\n")
    staged(layout, old)
    switch(layout, change.Switch(old.digest, {}))
    new = bundle()
    staged(layout, new)
    assert switch(layout, change.Switch(new.digest, {})).removed == ["etc/x.d/70.conf"]
    assert names(tmp_path / "etc") == ["x.d/60.conf"]


def test_a_file_that_changed_since_the_plan_stops_the_switch(tmp_path: Path) -> None:
    layout, made = Layout(tmp_path), bundle()
    staged(layout, made)
    (tmp_path / "etc/x.d").mkdir(parents=True)
    (tmp_path / "etc/x.d/60.conf").write_text("an admin's\n")
    with pytest.raises(StepError, match="changed since the plan"):
        switch(layout, change.Switch(made.digest, {"etc/x.d/60.conf": None}))
    assert not layout.current.exists()
    assert (tmp_path / "etc/x.d/60.conf").read_text() == "an admin's\n"


def test_a_folder_that_was_edited_stays_where_a_full_disk_keeps_the_right_one_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that runs from it is started again by Docker after a crash or a boot: it must be there."""
    layout, made = Layout(tmp_path), bundle()
    staged(layout, made)
    (layout.state / FOLDER / "server.yaml").write_text("a: 2\n")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = pack(made, {})
    monkeypatch.setattr(generation, "write_new", full)
    with pytest.raises(OSError, match="No space left"):
        stage(layout, replace(args(made, archive), repair=[FOLDER], aside="taken-over/r1"))
    assert (layout.state / FOLDER / "server.yaml").read_text() == "a: 2\n"


def test_a_folder_that_was_edited_in_place_is_put_right_and_kept_aside(tmp_path: Path) -> None:
    layout, made = Layout(tmp_path), bundle()
    archive = pack(made, {})
    staged(layout, made)
    file = layout.state / FOLDER / "server.yaml"
    file.write_text("mine\n")
    staged(layout, made)
    assert file.read_text() == "mine\n"
    stage(layout, replace(args(made, archive), repair=[FOLDER], aside="taken-over/r1"))
    assert file.read_text() == "a: 1\n"
    assert (layout.state / "taken-over/r1" / FOLDER / "server.yaml").read_text() == "mine\n"


def test_systemd_reads_its_units_anew_when_one_of_them_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads all units of the host then, and runs its generators: too dear for another sysctl."""
    ran: list[list[str]] = []
    monkeypatch.setattr(units, "run", lambda words, **_: ran.append(words))
    layout, unit = Layout(tmp_path), {"etc__systemd__x_dot_service": "[Service]\n"}
    for made in (bundle(**unit), bundle(**unit, etc__x_dot_d__60_dot_conf="k = 2\n"), bundle()):
        staged(layout, made)
        switch(layout, change.Switch(made.digest, {}))
        ran.append([])
    assert ran == [["systemctl", "daemon-reload"], [], [], ["systemctl", "daemon-reload"], []]


def test_a_timer_runs_while_its_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a change of its time would count from the next boot on, and one that left would go on."""
    ran: list[list[str]] = []
    for name in ("run", "must"):
        monkeypatch.setattr(units, name, lambda words, **_: ran.append(words[1:]))
    layout = Layout(tmp_path)
    for text in ("[Timer]\n", "[Timer]\nPersistent=true\n", ""):
        made = bundle(**({"etc__systemd__x_dot_timer": text} if text else {}))
        staged(layout, made)
        switch(layout, change.Switch(made.digest, {}))
        ran.append([])
    started = [["daemon-reload"], ["restart", "x.timer"], []]
    assert ran == [*started, *started, ["stop", "x.timer"], ["daemon-reload"], []]


LIVE = "services/postgresql-0123456789ab/pg_hba.conf"


def with_live(text: str) -> Bundle:
    made = bundle()
    return replace(made, files=(*made.files, File(LIVE, text.encode(), 0o640, 0, "", live=True)))


def test_a_file_that_is_read_anew_is_written_into_the_folder_by_the_switch_alone(tmp_path: Path) -> None:
    """The folder is that of the running server: until the switch it holds what that has read."""
    layout, old, new = Layout(tmp_path), with_live("old"), with_live("new")
    staged(layout, old)
    switch(layout, change.Switch(old.digest, {}))
    before = (layout.state / LIVE).parent.stat().st_ino
    staged(layout, new)
    assert (layout.state / LIVE).read_text() == "old"
    assert (layout.generations / new.digest / LIVE).read_text() == "new"
    switched = switch(layout, change.Switch(new.digest, {}))
    assert switched.installed == [LIVE]
    assert (layout.state / LIVE).read_text() == "new"
    assert (layout.state / LIVE).stat().st_mode & 0o777 == 0o640
    assert (layout.state / LIVE).parent.stat().st_ino == before  # a mounted folder: the container sees it
    assert switch(layout, change.Switch(old.digest, {})).installed == [LIVE]
    assert (layout.state / LIVE).read_text() == "old"


def test_what_an_older_generation_reads_anew_is_left_in_its_folder(tmp_path: Path) -> None:
    layout, old, new = Layout(tmp_path), with_live("old"), bundle()
    for made in (old, new):
        staged(layout, made)
        switch(layout, change.Switch(made.digest, {}))
    assert (layout.state / LIVE).read_text() == "old"


def test_a_snapshot_puts_back_what_a_server_reads_anew(tmp_path: Path) -> None:
    layout, old, new = Layout(tmp_path), with_live("old"), with_live("new")
    staged(layout, old)
    switch(layout, change.Switch(old.digest, {}))
    staged(layout, new)
    kept = layout.runs / "r1/before"
    snapshot.take(layout, kept, manifest.of_generation(layout, new.digest).live, ())
    switch(layout, change.Switch(new.digest, {}))
    written = (layout.state / LIVE).stat().st_mtime_ns
    snapshot.put_back(layout, kept)
    assert (layout.state / LIVE).read_text() == "old"
    assert (layout.state / LIVE).stat().st_mtime_ns > written  # newer, so that the server is told
