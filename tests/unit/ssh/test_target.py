from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from paramiko import ECDSAKey, PKey

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Ssh
from tempo_infra.ssh.target import identities, jump_target, load_key, resolve

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


def test_a_key_without_an_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    os.truncate(path, 1 << 40)
    with pytest.raises(InputError, match=r"larger than any key \(64 KiB\)"):
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


def test_a_key_of_a_kind_that_is_none_for_ssh_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(
        X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    path.chmod(0o600)
    with pytest.raises(InputError, match="not a private key that can be used"):
        load_key(path)


LOCK = BestAvailableEncryption(b"the passphrase")


@pytest.fixture(params=[PrivateFormat.OpenSSH, PrivateFormat.TraditionalOpenSSL])
def locked(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, PKey]:
    """Return a key file behind a passphrase, with its public part beside it, and the key in it."""
    path = tmp_path / "team"
    private = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(private.private_bytes(Encoding.PEM, request.param, LOCK))
    path.chmod(0o600)
    key = ECDSAKey.from_private_key_file(str(path), "the passphrase")
    Path(f"{path}.pub").write_text(f"{key.get_name()} {key.get_base64()} me@here\n")
    return path, key


def test_a_named_key_behind_a_passphrase_is_the_agents(
    locked: tuple[Path, PKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = locked
    monkeypatch.setattr("tempo_infra.ssh.agent.keys", lambda: (key,))
    assert load_key(path) is key
    monkeypatch.setattr("tempo_infra.ssh.agent.keys", lambda: ())
    with pytest.raises(InputError, match=r"has a passphrase\n  ssh-add "):
        load_key(path)


def test_a_usual_key_behind_a_passphrase_is_no_reason_to_end(
    locked: tuple[Path, PKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not asked for by name, and the agent may hold another one."""
    (tmp_path / ".ssh").mkdir()
    locked[0].rename(tmp_path / ".ssh" / "id_ecdsa")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempo_infra.ssh.agent.keys", lambda: (locked[1],))
    assert identities(resolve("db-1", SSH, tmp_path / "none")) == [locked[1]]


def test_without_its_public_part_an_agents_key_is_not_known(
    locked: tuple[Path, PKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = locked
    Path(f"{path}.pub").unlink()
    monkeypatch.setattr("tempo_infra.ssh.agent.keys", lambda: (key,))
    with pytest.raises(InputError, match=r"team\.pub"):
        load_key(path)
