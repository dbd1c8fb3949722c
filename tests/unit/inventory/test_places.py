"""An inventory names files in its own folder, unless that is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.sizing import size
from tests.unit.inventory.texts import VALID

SSH = "ssh: {user: deploy, known_hosts: %s}"
SECRETS = "secrets: {file: %s}"


def written(folder: Path, line: str, more: str = "") -> Path:
    text = VALID.replace("ssh: {user: deploy}", line) if line.startswith("ssh") else f"{VALID}{line}\n"
    folder.mkdir(exist_ok=True)
    path = folder / "inventory.yaml"
    path.write_text(text + more)
    return path


@pytest.mark.parametrize("line", [SSH, SECRETS])
@pytest.mark.parametrize("place", ["x", "sub/x", "./x", "sub/../x", "{folder}/x", "..x"])
def test_a_file_in_the_folder_is_fine(tmp_path: Path, line: str, place: str) -> None:
    folder = tmp_path / "in"
    found = load(written(folder, line % f"'{place.format(folder=folder)}'"))
    assert found.accept == frozenset()


@pytest.mark.parametrize("line", [SSH, SECRETS])
@pytest.mark.parametrize(
    "place",
    ["../x", "~/.ssh/authorized_keys", "/etc/x", "sub/../../x", "..", "link/x", "file"],
)
def test_a_file_elsewhere_needs_to_be_accepted(tmp_path: Path, line: str, place: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "file").symlink_to("inventory.yaml")
    line %= f"'{place.format(folder=folder)}'"
    key = "ssh.known_hosts" if line.startswith("ssh") else "secrets.file"
    with pytest.raises(InputError) as told:
        load(written(folder, line))
    first, last = str(told.value).splitlines()
    assert re.match(rf"{folder}/inventory\.yaml:\d+:\d+: {key}: leads out of this file's folder", first)
    assert "accept: [files-elsewhere]" in first
    assert last == "1 error; nothing was contacted"
    accepted = load(written(folder, line, "accept: [files-elsewhere]\n"))
    assert any(risk.startswith("files-elsewhere: ") for risk in size(accepted).risks)


def test_the_folder_itself_may_be_named_by_a_link(tmp_path: Path) -> None:
    written(tmp_path / "real", SECRETS % "sub/secrets.age")
    (tmp_path / "infra").symlink_to("real")
    assert load(tmp_path / "infra/inventory.yaml").secrets.path == tmp_path / "infra/sub/secrets.age"


@pytest.mark.parametrize("place", ["inventory.yaml", "in/inventory.yaml"])
def test_an_inventory_that_is_reached_by_a_link_of_its_branch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    written(tmp_path / "real", SECRETS % "secrets.age")
    monkeypatch.chdir(tmp_path)
    Path("in").symlink_to("real")
    Path("inventory.yaml").symlink_to("real/inventory.yaml")
    with pytest.raises(InputError, match="is a link, and links are not followed"):
        load(Path(place))
