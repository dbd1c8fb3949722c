"""Asking docker for its compose is dear: it is done again when one of the files behind it is another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tempo_infra.on_host import compose_version as module
from tempo_infra.on_host.compose_version import compose_version, remember
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import ENVIRONMENT

DOCKER = """#!/bin/sh
echo asked >> "$(dirname "$0")/asked"
echo {version}
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that says which compose it has, in a folder of its own."""
    path = tmp_path / "bin/docker"
    path.parent.mkdir()
    monkeypatch.setitem(ENVIRONMENT, "PATH", f"{path.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "FILES", (str(path), str(tmp_path / "plugins/docker-compose")))
    install(path, "v2.26.1")
    return path


def install(path: Path, version: str) -> None:
    new = path.with_name("new")
    new.write_text(DOCKER.format(version=version))
    new.chmod(0o755)
    new.rename(path)


def asked(docker: Path) -> int:
    log = docker.with_name("asked")
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_it_is_asked_each_time_until_it_is_remembered(docker: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    assert [compose_version(layout), compose_version(layout)] == ["2.26.1", "2.26.1"]
    assert asked(docker) == 2
    assert list(layout.state.iterdir()) == []
    remember(layout)
    remember(layout)
    assert compose_version(layout) == "2.26.1"
    assert asked(docker) == 3


def test_another_program_of_the_same_size_is_asked_again(docker: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    remember(layout)
    before = docker.stat()
    install(docker, "v2.19.9")
    os.utime(docker, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert compose_version(layout) == "2.19.9"
    remember(layout)
    assert (compose_version(layout), asked(docker)) == ("2.19.9", 3)


def test_a_plugin_that_appears_is_asked_for(docker: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    remember(layout)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/docker-compose").write_text("")
    compose_version(layout)
    assert asked(docker) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "9"', '{"version": "9", "files": {}}'])
def test_what_was_remembered_and_can_not_be_read_is_asked_again(
    docker: Path, tmp_path: Path, text: str
) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    layout.compose_version.write_text(text)
    assert (compose_version(layout), asked(docker)) == ("2.26.1", 1)


def test_a_host_without_compose_has_nothing_to_remember(docker: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    docker.unlink()
    docker.symlink_to("/bin/false")
    remember(layout)
    assert compose_version(layout) is None
    assert not layout.compose_version.exists()
