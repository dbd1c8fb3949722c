"""The configuration for `ssh`, as ssh itself reads it (`ssh -G` connects to nothing)."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.inventory.cluster import SshTransport
from tempo_infra.ssh import openssh_config
from tempo_infra.ssh.openssh import ProgramConnection
from tempo_infra.ssh.target import Target

LOOSE = """
Host *
  StrictHostKeyChecking no
  UserKnownHostsFile /tmp/anything
  BatchMode no
  ControlMaster auto
  ControlPath ~/.ssh/%C
  RemoteCommand id
  RequestTTY force
  LocalForward 127.0.0.1:9999 localhost:1
Host db
  HostName 192.0.2.13
  IdentityFile ~/.ssh/team
  ProxyJump bastion
  Ciphers aes256-ctr
Host bastion
  User ops
"""
HELD = {
    "stricthostkeychecking": "true",
    "globalknownhostsfile": "/dev/null",
    "updatehostkeys": "false",
    "batchmode": "yes",
    "controlmaster": "false",
    "forwardagent": "no",
    "permitlocalcommand": "no",
    "requesttty": "false",
    "connecttimeout": "10",
}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    known = tmp_path / "with space 100%" / "known_hosts"
    return Target("db-1", "db", 2222, "deploy", (), known, transport=SshTransport.OPENSSH)


@pytest.fixture(autouse=True)
def operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "operator"
    file.write_text(LOOSE)
    monkeypatch.setattr(openssh_config, "OPERATORS", (file,))


def asked(target: Target, tmp_path: Path, host: str = "db", *words: str) -> dict[str, str]:
    """What ssh makes of the configuration; the last value of an option that comes several times."""
    config = tmp_path / "config"
    config.write_text(openssh_config.config_text(target))
    done = subprocess.run(
        ["ssh", "-G", "-F", config, *words, host], capture_output=True, text=True, check=True
    )
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


@pytest.mark.parametrize("host", ["db", "bastion"])
def test_the_policy_holds_for_the_host_and_its_jumps_whatever_the_operators_file_says(
    target: Target, tmp_path: Path, host: str
) -> None:
    found = asked(target, tmp_path, host)
    assert {name: found.get(name) for name in HELD} == HELD
    assert found["userknownhostsfile"] == str(target.known_hosts).replace("%%", "%")
    assert "controlpath" not in found
    assert "localforward" not in found
    assert found.get("remotecommand", "none") == "none"


def test_everything_else_is_the_operators(target: Target, tmp_path: Path) -> None:
    found = asked(target, tmp_path)
    assert (found["hostname"], found["ciphers"]) == ("192.0.2.13", "aes256-ctr")
    assert found["identityfile"].endswith(".ssh/team")
    assert found["proxyjump"] == "bastion"


def test_a_jump_hosts_own_user_counts_before_ours(target: Target, tmp_path: Path) -> None:
    assert asked(target, tmp_path, "bastion")["user"] == "ops"
    assert asked(target, tmp_path, "192.0.2.99")["user"] == "deploy"


def test_named_keys_are_the_only_ones_that_are_offered(target: Target, tmp_path: Path) -> None:
    found = asked(replace(target, keys=(tmp_path / "my key",)), tmp_path, "192.0.2.99")
    assert found["identityfile"] == str(tmp_path / "my key")
    assert found["identitiesonly"] == "yes"


def test_a_folder_may_have_any_bytes_in_its_name(target: Target, tmp_path: Path) -> None:
    known = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bl\xe5b\xe6r/known_hosts"))
    connection = ProgramConnection(replace(target, known_hosts=known), tmp_path)
    assert os.fsencode(known) in (tmp_path / "config").read_bytes()
    connection.close()
