"""Same content, same key: what decides whether something is built or made again."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import golang, images
from lab.container import run_command
from lab.errors import LabError
from lab.images import Image
from lab.paths import Home
from lab.spec import TRIO, rack
from lab.up import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build context of two files."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / "sub" / "start.sh").write_text("#!/bin/sh\n")
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "Dockerfile").write_text("FROM y\n"),
        lambda folder: (folder / "new").touch(),
        lambda folder: (folder / "Dockerfile").rename(folder / "Dockerfile2"),
        lambda folder: (folder / "sub" / "start.sh").chmod(0o755),
    ],
    ids=["content", "new file", "name", "executable"],
)
def test_a_change_gives_another_key(folder: Path, change: Callable[[Path], object]) -> None:
    """Bytes, names and the executable bit count."""
    before = images.folder_key(folder)
    change(folder)
    assert images.folder_key(folder) != before


def test_a_copy_has_the_same_key(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where a checkout lies and when it was made does not count."""
    copy = tmp_path_factory.mktemp("copy")
    for path in folder.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert images.folder_key(copy) == images.folder_key(folder)


def test_image_key_follows_what_is_added_from_outside() -> None:
    """Another Temporal version is another image, before anything is built."""
    assert Image("temporal-server", extras_key="a").key != Image("temporal-server", extras_key="b").key


def test_image_key_follows_the_image_below() -> None:
    """What is made of another image is made anew with it."""
    below = [Image("postgres", extras_key=key) for key in "ab"]
    assert len({Image("postgres-backup", below=one).key for one in below}) == len(below)


def test_module_key_follows_the_version() -> None:
    """A module at another version, or with other programs, is built anew."""
    assert dataclasses.replace(golang.SERVER, version="v1.31.1").key != golang.SERVER.key
    assert dataclasses.replace(golang.SERVER, programs=()).key != golang.SERVER.key


def test_catalogue_has_the_official_names() -> None:
    """The names an inventory uses with the real registry, too."""
    official = {image.official for image in catalogue(Home(Path("/nowhere"))).values() if image.official}
    assert official == {
        "postgres:17",
        "tempo-infra/postgres:17",
        "temporalio/server:1.31.2",
        "temporalio/admin-tools:1.31.2",
        "temporalio/ui:2.50.1",
    }


def test_build_context_is_owned_by_root_and_has_the_extras(tmp_path: Path) -> None:
    """Whoever builds, the image is the same."""
    extra = tmp_path / "temporal-server"
    extra.write_text("binary")
    out = io.BytesIO()
    images.write_context(Image("temporal-server", extras={"temporal-server": extra}), out)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        entries = {entry.name: entry for entry in tar.getmembers()}
    assert {"./Dockerfile", "./entrypoint.sh", "temporal-server"} <= set(entries)
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {(0, 0, 0)}


def test_run_command_changes_with_the_image_and_the_size() -> None:
    """What decides whether a running host is replaced."""
    front = TRIO[0]
    words = run_command(Path("/in"), front, 22, "host:1")
    assert words[:3] == ["docker", "run", "-d"]
    assert words != run_command(Path("/in"), front, 22, "host:2")
    assert words != run_command(Path("/in"), dataclasses.replace(front, memory_mb=1024), 22, "host:1")
    assert "c *:* rwm" in words


def test_hosts_have_addresses_of_their_own() -> None:
    """The trio first, then extras, no address twice."""
    hosts = rack(5)
    assert [host.name for host in hosts] == ["front-1", "history-1", "db-1", "extra-1", "extra-2"]
    assert hosts[3].ssh_address == "127.0.1.14"
    assert len({host.internal_address for host in hosts}) == len(hosts)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("go 1.26.4", (1, 26, 4)), ("go 1.21", (1, 21))],
)
def test_go_versions_are_read(text: str, version: tuple[int, ...]) -> None:
    """From the command's answer and from go.mod, compared as numbers."""
    assert golang.go_version(text) == version
    assert golang.go_version("go1.9 x") < golang.go_version("go1.26.4 x")


@pytest.mark.parametrize(
    ("have", "good"),
    [("go1.26.4", True), ("go1.26.8", True), ("go1.26.3", False), ("go1.25.9", False), ("go1.27.3", False)],
)
def test_only_the_same_release_of_go_will_do(have: str, good: bool) -> None:
    """Older ones refuse the module, newer ones may not build its dependencies."""
    assert golang.suits(f"go version {have} linux/amd64", "1.26.4") is good


def test_no_go_version_is_an_error() -> None:
    """Rather than a guess."""
    with pytest.raises(LabError, match="no Go version"):
        golang.go_version("command not found")
