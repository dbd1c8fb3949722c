from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import NamedTuple

import pyrage
import pytest

from tempo_infra.errors import InputError
from tempo_infra.secrets import TEMPORAL_DB, SecretStore
from tempo_infra.secrets.identity import VARIABLE, create, default_folder, read


class File(NamedTuple):
    path: Path
    recipients: tuple[str, ...] = ()


def ssh_key(folder: Path, *options: str, passphrase: str = "") -> Path:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    path = folder / "key"
    command = ["ssh-keygen", "-q", "-N", passphrase, "-C", "bob@oslo", "-f", str(path), *options]
    subprocess.run(command, check=True, capture_output=True)
    return path


def test_an_identity_is_made_private_and_readable_again(tmp_path: Path) -> None:
    path = tmp_path / "config" / "tempo-infra" / "identity.txt"
    made = create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["identity.txt"]
    assert made.recipients == read(path).recipients
    assert "AGE-SECRET-KEY" not in repr(made)


def test_an_identity_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    first = create(tmp_path / "identity.txt")
    assert create(tmp_path / "identity.txt").recipients == first.recipients


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o660])
def test_an_identity_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = create(tmp_path / "identity.txt").path
    path.chmod(mode)
    with pytest.raises(InputError, match=f"can be read by others .mode {mode:04o}"):
        read(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_identity_is_refused(tmp_path: Path) -> None:
    path = create(tmp_path / "identity.txt").path
    os.chown(path, 12345, -1)
    with pytest.raises(InputError, match="belongs to user id 12345"):
        read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no identity"),
        ("# only a comment\n", "is no identity"),
        ("age1ywzprkav9u5fr0th2m98qmvfm6awl54y9qzf3rmy3rsxrtqdn9ssq2gs98\n", "is no identity"),
        ("AGE-SECRET-KEY-1QQQQ\n", "is damaged"),
        ("age-encryption.org/v1\n-> scrypt\n", "itself encrypted with a passphrase"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "itself encrypted with a passphrase"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "can't open secrets",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "protected by a passphrase"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n", "protected by a passphrase"),
        ("x" * 70_000, "is larger than 64 KiB"),
    ],
)
def test_what_is_no_usable_key_is_told_apart(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "identity"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InputError) as told:
        read(path)
    assert said in told.value.what
    assert str(path) in told.value.what


@pytest.mark.parametrize(
    ("place", "said"), [("missing", "can't read the identity"), (".", "the identity .*: is a folder")]
)
def test_what_cannot_be_read_is_an_input_error(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path / place)


@pytest.mark.parametrize("options", [("-t", "ed25519"), ("-t", "rsa", "-b", "2048")])
def test_an_ssh_key_opens_what_its_public_key_was_given(tmp_path: Path, options: tuple[str, ...]) -> None:
    key = ssh_key(tmp_path, *options)
    public = key.with_suffix(".pub").read_text().strip()
    assert read(key).recipients == (" ".join(public.split()[:2]),)
    file = File(tmp_path / "secrets.age", (public,))
    secrets = SecretStore.open(file, tmp_path / "alice", environ={}).ensure([TEMPORAL_DB])
    as_bob = SecretStore.open(file, tmp_path / "bob", environ={VARIABLE: str(key)})
    assert as_bob.read() == secrets
    assert as_bob.notices == ()
    assert not (tmp_path / "bob").exists()


@pytest.mark.parametrize(
    ("options", "passphrase", "said"),
    [
        (("-t", "ed25519"), "a passphrase", "protected by a passphrase"),
        (("-t", "rsa", "-b", "2048", "-m", "PEM"), "a passphrase", "protected by a passphrase"),
        (("-t", "ecdsa"), "", "neither ssh-ed25519 nor ssh-rsa"),
    ],
)
def test_an_ssh_key_that_cannot_help_says_why(
    tmp_path: Path, options: tuple[str, ...], passphrase: str, said: str
) -> None:
    key = ssh_key(tmp_path, *options, passphrase=passphrase)
    with pytest.raises(InputError) as told:
        read(key)
    assert said in told.value.what


@pytest.mark.thorough
def test_nothing_is_written_that_its_writer_could_not_read(tmp_path: Path) -> None:
    """A PEM key doesn't tell its public part, so the list must name it."""
    key = ssh_key(tmp_path, "-t", "rsa", "-b", "2048", "-m", "PEM")
    other = str(pyrage.x25519.Identity.generate().to_public())
    file = File(tmp_path / "secrets.age", (other,))
    environ = {VARIABLE: str(key)}
    with pytest.raises(InputError, match="could not open it afterwards"):
        SecretStore.open(file, tmp_path / "none", environ=environ).ensure([TEMPORAL_DB])
    assert not file.path.exists()
    listed = file._replace(recipients=(key.with_suffix(".pub").read_text(),))
    assert SecretStore.open(listed, tmp_path / "none", environ=environ).ensure([TEMPORAL_DB])


def test_a_named_identity_and_the_own_one_are_both_tried(tmp_path: Path) -> None:
    file = File(tmp_path / "secrets.age")
    secrets = SecretStore.open(file, tmp_path / "alice", environ={}).ensure([TEMPORAL_DB])
    ci = create(tmp_path / "ci.txt").path
    store = SecretStore.open(file, tmp_path / "alice", environ={VARIABLE: str(ci)})
    assert store.read() == secrets


def test_an_identity_in_the_home_of_a_stranger_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't read the identity ~nobody-of-that-name/key"):
        SecretStore.open(
            File(tmp_path / "s.age"), tmp_path / "none", environ={VARIABLE: "~nobody-of-that-name/key"}
        )


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, "/home/ola/.config/tempo-infra"),
        ({"XDG_CONFIG_HOME": "/srv/config"}, "/srv/config/tempo-infra"),
        ({"XDG_CONFIG_HOME": "relative"}, "/home/ola/.config/tempo-infra"),
        ({"XDG_CONFIG_HOME": ""}, "/home/ola/.config/tempo-infra"),
    ],
)
def test_the_config_folder_follows_xdg(environ: dict[str, str], folder: str) -> None:
    assert default_folder(environ, Path("/home/ola")) == Path(folder)
