from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paramiko import Ed25519Key, PKey
from paramiko.hostkeys import HostKeys

from tempo_infra.errors import HostKeyError, InputError
from tempo_infra.ssh.known_hosts import fingerprint, pin, pinned_keys, verify


def new_key(folder: Path, name: str) -> PKey:
    path = folder / name
    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    return Ed25519Key.from_private_key_file(str(path))


@pytest.fixture
def key(tmp_path: Path) -> PKey:
    return new_key(tmp_path, "key")


@pytest.fixture
def other(tmp_path: Path) -> PKey:
    return new_key(tmp_path, "other")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def check(file: Path, key: PKey, address: str = "192.0.2.1", port: int = 22) -> None:
    verify(key, pinned_keys(file, address, port), file, "db-1")


def test_a_pinned_key_passes_for_its_host_and_port_only(file: Path, key: PKey) -> None:
    pin(file, "192.0.2.1", 2222, key, replace=False)
    check(file, key, port=2222)
    with pytest.raises(HostKeyError, match="not known"):
        check(file, key, port=22)


def test_an_unknown_key_is_refused_with_its_fingerprint_and_what_to_do(file: Path, key: PKey) -> None:
    with pytest.raises(HostKeyError) as caught:
        check(file, key)
    assert fingerprint(key) in str(caught.value)
    assert "tempo-infra trust db-1" in str(caught.value)


def test_a_changed_key_is_refused_with_both_fingerprints_and_the_line(
    file: Path, key: PKey, other: PKey
) -> None:
    file.write_text("# ours\n")
    pin(file, "192.0.2.1", 22, key, replace=False)
    with pytest.raises(HostKeyError) as caught:
        check(file, other)
    text = str(caught.value)
    assert fingerprint(key) in text
    assert fingerprint(other) in text
    assert f"{file}:2" in text
    assert "--replace" in text


def test_a_revoked_key_is_refused_even_when_it_is_also_pinned(file: Path, key: PKey) -> None:
    pin(file, "192.0.2.1", 22, key, replace=False)
    with file.open("a") as handle:
        handle.write(f"@revoked 192.0.2.1 {key.get_name()} {key.get_base64()}\n")
    with pytest.raises(HostKeyError, match="revoked"):
        check(file, key)


def test_a_hashed_name_is_found(file: Path, key: PKey) -> None:
    file.write_text(f"{HostKeys.hash_host('192.0.2.1')} {key.get_name()} {key.get_base64()}\n")
    check(file, key)
    with pytest.raises(HostKeyError):
        check(file, key, address="192.0.2.2")


def test_replacing_takes_the_old_keys_of_that_host_away_and_no_others(
    file: Path, key: PKey, other: PKey
) -> None:
    pin(file, "192.0.2.1", 22, key, replace=False)
    pin(file, "192.0.2.2", 22, key, replace=False)
    pin(file, "192.0.2.1", 22, other, replace=True)
    check(file, other)
    check(file, key, address="192.0.2.2")
    with pytest.raises(HostKeyError, match="changed"):
        check(file, key)


def test_replacing_leaves_revoked_what_is_revoked(file: Path, key: PKey, other: PKey) -> None:
    file.write_text(f"@revoked 192.0.2.1 {key.get_name()} {key.get_base64()}\n")
    pin(file, "192.0.2.1", 22, other, replace=True)
    check(file, other)
    with pytest.raises(HostKeyError, match="is revoked"):
        check(file, key)


def test_a_file_that_the_machine_refuses_is_named(tmp_path: Path, key: PKey) -> None:
    with pytest.raises(InputError, match="is a folder, not a file"):
        check(tmp_path, key)
    with pytest.raises(InputError, match="is a folder, not a file"):
        pin(tmp_path, "192.0.2.1", 22, key, replace=False)


def test_a_damaged_line_is_named(file: Path) -> None:
    file.write_text("\n192.0.2.1 ssh-ed25519 AAAA!notbase64\n")
    with pytest.raises(InputError, match=r"known_hosts:2"):
        pinned_keys(file, "192.0.2.1", 22)


def test_a_full_disk_leaves_every_pin(file: Path, key: PKey, other: PKey) -> None:
    file.write_text("# ours\n\n")
    for number in range(1, 4):
        pin(file, f"192.0.2.{number}", 22, key, replace=False)
    before = file.read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(InputError, match="can't be written: file too large") as told:
            pin(file, "192.0.2.9", 22, other, replace=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert told.value.remedy == "nothing was pinned"
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir() if one.name.startswith(".")] == []


def test_what_stands_there_stays_byte_for_byte(file: Path, key: PKey) -> None:
    before = b"# bl\xe5b\xe6r\r\n\n\n@cert-authority *.lab ssh-ed25519 AAAA bj\xf8rn\n# no newline at the end"
    file.write_bytes(before)
    file.chmod(0o640)
    pin(file, "192.0.2.1", 22, key, replace=False)
    assert file.read_bytes().startswith(before + b"\n192.0.2.1 ssh-ed25519 ")
    assert file.stat().st_mode & 0o777 == 0o640
    check(file, key)


@pytest.mark.parametrize("plant", [lambda path: path.symlink_to("authorized_keys"), os.mkfifo])
def test_pins_are_not_written_into_another_file(file: Path, key: PKey, plant: Callable[[Path], None]) -> None:
    (file.parent / "authorized_keys").write_text("mine\n")
    plant(file)
    with pytest.raises(InputError, match=r"is a (link|pipe)"):
        pin(file, "192.0.2.1", 22, key, replace=False)
    with pytest.raises(InputError, match=r"is a (link|pipe)"):
        pinned_keys(file, "192.0.2.1", 22)
    assert (file.parent / "authorized_keys").read_text() == "mine\n"
