"""What a compose file mounts is what compose says, however the file is written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tempo_infra.on_host import mounts
from tempo_infra.on_host.mounts import holds, named_by
from tempo_infra.on_host.shell import Output, StepError

WRITTEN = """
name: tempo-infra
services:
  history:
    image: a
    volumes:
      - type: bind
        source: /s/services/history-a # configuration
        target: /etc/tempo-infra
      - {type: tmpfs, target: /tmp}
      - kept:/var/kept
  matching:
    image: a
    profiles: [tools]
    volumes: ["/s/services/matching-b:/etc/tempo-infra:ro", "./services/beside:/b"]
  worker: {image: a, volumes: [{type: bind, target: /x, source: "/s/secrets/temporal"}], secrets: [password]}
volumes: {kept: {}}
secrets: {password: {file: /s/secrets/blue/db_password}}
"""
MOUNTED = {
    "/s/services/history-a",
    "/s/services/matching-b",
    "/s/secrets/temporal",
    "/s/secrets/blue/db_password",
}


def compose() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not compose(), reason="no docker compose on this machine")
def test_compose_itself_is_asked(tmp_path: Path) -> None:
    """A comment, the short form, a flow mapping, a secret's file: no pattern looks for all of them."""
    file = tmp_path / "docker-compose.yml"
    file.write_text(WRITTEN)
    assert named_by(file) == {*MOUNTED, str(tmp_path / "services/beside")}


@pytest.mark.parametrize(
    "said", ["", "[]", "{}", '{"services": 1}', '{"services": {"a": {"volumes": [{}]}}}']
)
def test_an_answer_that_is_none_is_an_error(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known to be mounted must not be taken away."""
    monkeypatch.setattr(mounts, "must", lambda *_, **__: Output(0, said, ""))
    with pytest.raises(StepError, match="did not say what it mounts"):
        named_by(Path("/s/docker-compose.yml"))


def test_its_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    volumes = [
        {"type": "bind", "source": "/s/a"},
        {"type": "tmpfs", "target": "/tmp"},
        {"type": "volume", "source": "k"},
    ]
    body = {"services": {"x": {"volumes": volumes}, "y": {}}, "secrets": {"p": {"file": "/s/p"}, "q": {}}}
    monkeypatch.setattr(mounts, "must", lambda *_, **__: Output(0, json.dumps(body), ""))
    assert named_by(Path("/s/docker-compose.yml")) == {"/s/a", "/s/p"}


@pytest.mark.parametrize(
    ("sources", "held"),
    [
        ({"/s/services/a"}, True),
        ({"/s/services/a/"}, True),
        ({"/s/services/a/server.yaml"}, True),
        ({"/s/services"}, True),
        ({"/"}, True),
        ({"/s/services/ab"}, False),
        ({"/s/service"}, False),
        (set(), False),
    ],
)
def test_a_path_is_held_by_a_mount_of_it_in_it_or_above_it(sources: set[str], *, held: bool) -> None:
    assert holds(Path("/s/services/a"), sources) is held
