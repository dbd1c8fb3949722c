from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Ssh
from tempo_infra.ssh.target import jump_target, load_key, resolve

SSH = Ssh("db", "deploy", 2222, (), Path("/inventory/known_hosts"))
CONFIG = """
Host db
  HostName 192.0.2.13
  User someone-else
  IdentityFile ~/.ssh/team
  ProxyJump ops@bastion:2200,inner
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return path


def test_an_alias_gives_address_keys_and_jumps_but_the_inventory_names_user_and_port(config: Path) -> None:
    target = resolve("db-1", SSH, config)
    assert (target.address, target.user, target.port) == ("192.0.2.13", "deploy", 2222)
    assert target.keys == (Path("~/.ssh/team").expanduser(),)
    assert target.jumps == ("ops@bastion:2200", "inner")


def test_what_the_inventory_says_wins(config: Path) -> None:
    target = resolve("db-1", replace(SSH, keys=(Path("/k"),), proxy_jump="other"), config)
    assert target.keys == (Path("/k"),)
    assert target.jumps == ("other",)


def test_without_a_configuration_the_address_is_as_written(tmp_path: Path) -> None:
    assert resolve("db-1", SSH, tmp_path / "none").address == "db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bastion", ("deploy", "bastion", 22)),
        ("ops@bastion:2200", ("ops", "bastion", 2200)),
        ("ops@[2001:db8::7]:2200", ("ops", "2001:db8::7", 2200)),
        ("[::1]", ("deploy", "::1", 22)),
        ("ssh://ops@bastion:2200", ("ops", "bastion", 2200)),
    ],
)
def test_a_jump_is_user_host_and_port(tmp_path: Path, text: str, expected: tuple[str, str, int]) -> None:
    hop = jump_target(text, resolve("db-1", SSH, tmp_path / "none"))
    assert (hop.user, hop.address, hop.port) == expected


@pytest.mark.parametrize("text", ["", "bastion:", "bastion:99999", "::1", "bastion:ssh", "a b", "ops@"])
def test_what_is_no_jump_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"db-1: ProxyJump .*: expected \[user@\]host\[:port\]"):
        jump_target(text, resolve("db-1", SSH, tmp_path / "none"))


@pytest.mark.parametrize(
    ("text", "says"),
    [("Match exec\n", "can't be understood"), ("Host *\n  Match final all\n", "can't be understood")],
)
def test_a_configuration_that_is_not_understood_is_named(config: Path, text: str, says: str) -> None:
    config.write_text(text)
    with pytest.raises(InputError, match=f"{config} {says}"):
        resolve("db-1", SSH, config)


def test_a_configuration_may_hold_any_bytes(config: Path) -> None:
    config.write_bytes(b"# bl\xe5b\xe6r\n" + CONFIG.encode())
    assert resolve("db-1", SSH, config).address == "192.0.2.13"


def test_a_configuration_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read: is a directory"):
        resolve("db-1", SSH, tmp_path)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("x")
    path.chmod(0o644)
    with pytest.raises(InputError, match=r"can be read by others \(0644\)"):
        load_key(path)


@pytest.mark.parametrize("content", ["", "not a key", "-----BEGIN OPENSSH PRIVATE KEY-----\nzzz\n-----END"])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(InputError, match="not a private key"):
        load_key(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_key(tmp_path / "key")
