"""Owner, mode and kind of what is ours: compared, and put right."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_infra.on_host import generation, manifest, material, ownership
from tempo_infra.on_host.durable import make_folder, write_new
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.manifest import Entry, Manifest, Material
from tempo_infra.on_host.ownership import Wrong, of_generation, of_secrets, put_right, wrong
from tempo_infra.on_host.shell import StepError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")

FILES = {
    "docker-compose.yml": Entry(""),
    "etc/sysctl.d/60-x.conf": Entry(""),
    "services/postgresql-aa/pg_hba.conf": Entry("", 0o640, 999),
}
READER = {"temporal": 1000}
NAME = "temporal/db_password"
CONTENT = b"content\n"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    tmp_path.chmod(0o755)
    made = Layout(tmp_path)
    folder = made.generations / "g"
    write(folder / "manifest.json", 0o644)
    for path, entry in FILES.items():
        write(ownership.where(made, path, folder), entry.mode, entry.uid)
    write(made.installed("etc/sysctl.d/60-x.conf"), 0o644)
    make_folder(made.secrets, 0o711)
    make_folder(made.secrets / "temporal", 0o700, 1000)
    write_new(made.secrets / NAME, CONTENT, 0o400, 1000)
    return made


def write(path: Path, mode: int, uid: int = 0) -> None:
    make_folder(path.parent, 0o755)
    write_new(path, CONTENT, mode, uid)


def wants(layout: Layout) -> list[ownership.Want]:
    return [*of_generation(layout, FILES, layout.generations / "g"), *of_secrets(layout, READER, [NAME])]


def found(layout: Layout) -> list[tuple[str, str, str]]:
    """What is wrong below the test's own root: path, found, wanted."""
    ours = [one for one in wrong(layout, wants(layout)) if one.path.startswith(f"{layout.root}/")]
    return [(one.path.removeprefix(str(layout.root)), one.found, one.wanted) for one in ours]


SECRET = f"/var/lib/tempo-infra/secrets/{NAME}"
HBA = "/var/lib/tempo-infra/services/postgresql-aa/pg_hba.conf"
SYSCTL = "/etc/sysctl.d/60-x.conf"


def test_nothing_is_wrong_with_what_was_just_written(layout: Layout) -> None:
    assert found(layout) == []


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        pytest.param(lambda at: at(SECRET).chmod(0), (SECRET, "mode 0000", "0400"), id="unreadable"),
        pytest.param(lambda at: at(SECRET).chmod(0o444), (SECRET, "mode 0444", "0400"), id="readable by all"),
        pytest.param(lambda at: os.chown(at(SECRET), 0, 0), (SECRET, "owner 0:0", "1000:1000"), id="root's"),
        pytest.param(lambda at: os.chown(at(HBA), 999, 0), (HBA, "owner 999:0", "999:999"), id="group"),
        pytest.param(lambda at: at(HBA).chmod(0o4640), (HBA, "mode 4640", "0640"), id="setuid"),
        pytest.param(lambda at: at(SYSCTL).chmod(0o666), (SYSCTL, "mode 0666", "0644"), id="under /etc"),
        pytest.param(
            lambda at: at(HBA).parent.chmod(0o777), (HBA.rpartition("/")[0], "mode 0777", "0755"), id="folder"
        ),
        pytest.param(
            lambda at: at(SECRET).parent.chmod(0o755),
            (SECRET.rpartition("/")[0], "mode 0755", "0700"),
            id="folder of secrets",
        ),
    ],
)
def test_a_wrong_owner_or_mode_is_said_and_put_right(
    layout: Layout, plant: Callable[[Callable[[str], Path]], None], said: tuple[str, str, str]
) -> None:
    plant(lambda path: Path(f"{layout.root}{path}"))
    assert found(layout) == [said]
    assert put_right(wants(layout), {}) == [f"{layout.root}{said[0]}: {said[1]}, should be {said[2]}"]
    assert found(layout) == []
    assert (layout.secrets / NAME).read_bytes() == CONTENT


def test_a_password_that_is_missing_is_said_where_it_is_needed(layout: Layout) -> None:
    (layout.secrets / NAME).unlink()
    assert found(layout) == [(SECRET, "missing", "there, 0400")]
    assert [one.kind for one in wrong(layout, of_secrets(layout, READER)) if one.kind == "missing"] == []


def test_without_known_readers_a_password_belongs_to_whom_its_folder_does(layout: Layout) -> None:
    os.chown(layout.secrets / NAME, 0, 0)
    told = [one for one in wrong(layout, of_secrets(layout, {})) if one.path.endswith(NAME)]
    assert [(one.found, one.wanted) for one in told] == [("owner 0:0", "1000:1000")]


def test_a_link_in_the_place_of_a_file_is_replaced_by_the_file(layout: Layout, tmp_path: Path) -> None:
    hba = layout.root / HBA[1:]
    hba.rename(tmp_path / "elsewhere")
    hba.symlink_to(tmp_path / "elsewhere")
    assert found(layout) == [(HBA, "a link", "a file")]
    put_right(wants(layout), {hba: CONTENT})
    assert found(layout) == []
    assert not hba.is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == CONTENT


def test_what_lies_in_the_place_of_a_folder_is_left_to_a_person(layout: Layout, tmp_path: Path) -> None:
    folder = layout.services / "postgresql-aa"
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert (str(folder).removeprefix(str(layout.root)), "a link", "a folder") in found(layout)
    with pytest.raises(StepError, match="postgresql-aa: a link, should be a folder"):
        put_right(wants(layout), {})


def test_a_folder_above_in_which_everybody_may_write_is_said(layout: Layout) -> None:
    (layout.root / "etc").chmod(0o777)
    (layout.root / "var").chmod(0o1777)  # as /tmp: nobody can take away what is another's
    assert found(layout) == [("/etc", "mode 0777", "not writable by everybody")]
    assert [one.kind for one in wrong(layout, wants(layout)) if one.path.endswith("/etc")] == ["above"]
    put_right(wants(layout), {})
    assert (layout.root / "etc").stat().st_mode & 0o777 == 0o777


def test_an_immutable_file_is_said_with_the_command_that_ends_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "immutable", lambda path: path == layout.installed(SYSCTL[1:]))
    assert found(layout) == [(SYSCTL, "immutable", f"changeable: chattr -ia {layout.installed(SYSCTL[1:])}")]
    layout.installed(SYSCTL[1:]).chmod(0o600)

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refused)
    with pytest.raises(StepError, match="is it immutable") as caught:
        put_right(wants(layout), {})
    assert "chattr -ia" in caught.value.remedy


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(layout: Layout) -> None:
    hba = layout.root / HBA[1:]
    hba.unlink()
    os.mkfifo(hba)
    assert found(layout) == [(HBA, "a pipe", "a file")]


def test_an_installed_file_with_another_mode_is_written_again(layout: Layout) -> None:
    target = layout.installed("etc/sysctl.d/60-x.conf")
    assert generation._is_as_shipped(target, CONTENT, 0o644)
    target.chmod(0o600)
    assert not generation._is_as_shipped(target, CONTENT, 0o644)
    os.chown(target, 1000, 1000)
    target.chmod(0o644)
    assert not generation._is_as_shipped(target, CONTENT, 0o644)


def test_a_password_that_its_reader_can_not_read_is_written_again(layout: Layout) -> None:
    key = b"key"
    one = Material("db_password", "temporal", 1000, material.digest(key, CONTENT))
    made, files = Manifest(material={NAME: one}), {manifest.KEY: key, f"{material.IN_ARCHIVE}{NAME}": CONTENT}
    assert material.write(layout, made, files) == []
    (layout.secrets / NAME).chmod(0)
    assert material.write(layout, made, files) == [NAME]
    assert found(layout) == []


def test_it_reads_as_one_line() -> None:
    assert str(Wrong("/a", "mode 0444", "0400", "mode")) == "/a: mode 0444, should be 0400"


def test_a_file_that_has_another_name_too_is_not_given_away(layout: Layout, tmp_path: Path) -> None:
    """The reader's folder is the reader's: it may have linked what is not its own."""
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    (layout.secrets / NAME).unlink()
    os.link(other, layout.secrets / NAME)
    with pytest.raises(StepError, match="another thing by now"):
        put_right(wants(layout), {})
    assert other.stat().st_uid == 0
