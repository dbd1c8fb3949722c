"""Templates beside the inventory: whose they may be, and what they may change."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render import Bundle, render
from tempo_infra.render.templates import built_in
from tempo_infra.sizing import size
from tests.unit.sizing.clusters import solo
from tests.unit.trees.strangers import as_root

LIMITS = "etc/security/limits.d/60-tempo-infra.conf.j2"


def rendered(folder: Path) -> Bundle:
    """The bundle of one host whose inventory lies in the folder."""
    one = replace(solo(), path=folder / "inventory.yaml")
    return render(one, size(one))[0]


def own(folder: Path, name: str, *changes: tuple[str, str], more: str = "") -> Path:
    """Write a template as ours is, but for the changes."""
    text = (built_in() / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + more)
    return path


def text(bundle: Bundle, path: str) -> str:
    return bundle.file(path).content.decode()


def test_a_template_of_the_operator_replaces_ours(tmp_path: Path) -> None:
    own(tmp_path, LIMITS, more="# for the auditors\n")
    assert text(rendered(tmp_path), LIMITS.removesuffix(".j2")).endswith("# for the auditors\n")


@pytest.mark.parametrize("at", ["", "etc", "etc/security/limits.d", LIMITS, "foreign"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_is_no_template(tmp_path: Path, at: str, *, dangling: bool) -> None:
    own(tmp_path, LIMITS)
    link = tmp_path / "templates" / at
    if link.exists():
        link.rename(tmp_path / "elsewhere")
    elif not dangling:
        (tmp_path / "elsewhere").write_text("secret")
    link.symlink_to(tmp_path / ("nowhere" if dangling else "elsewhere"))
    with pytest.raises(InputError, match="is a link, and links are not followed") as told:
        rendered(tmp_path)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("plant", [os.mkfifo, Path.touch])
def test_what_is_no_template_in_the_place_of_the_folder_is_refused(tmp_path: Path, plant: object) -> None:
    assert callable(plant)
    plant(tmp_path / "templates")
    with pytest.raises(InputError, match=r"templates: is a (pipe|file)"):
        rendered(tmp_path)


@pytest.mark.parametrize("at", ["", "etc", "etc/security/limits.d", LIMITS])
def test_a_template_that_others_may_change_is_refused(tmp_path: Path, at: str) -> None:
    own(tmp_path, LIMITS)
    (tmp_path / "templates" / at).chmod(0o666 if at == LIMITS else 0o777)
    with pytest.raises(InputError, match="everybody on this machine may change"):
        rendered(tmp_path)


@as_root
@pytest.mark.parametrize("at", ["", LIMITS])
def test_a_template_of_a_stranger_is_refused(tmp_path: Path, at: str) -> None:
    own(tmp_path, LIMITS)
    os.chown(tmp_path / "templates" / at, 65534, -1)
    with pytest.raises(InputError, match="not to you"):
        rendered(tmp_path)


def test_a_folder_of_something_else_is_not_read_without_end(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "web"
    folder.mkdir(parents=True)
    for number in range(1001):
        (folder / f"{number}.html").touch()
    with pytest.raises(InputError, match="holds more than 1000 files and folders"):
        rendered(tmp_path)
