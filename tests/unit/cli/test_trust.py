"""Pinning a host's key: only the one that a person has seen, and never a revoked one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from paramiko import Ed25519Key, PKey
from typer.testing import CliRunner, Result

from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.main import app
from tempo_infra.deploy import trust
from tempo_infra.errors import HostKeyError, TempoInfraError
from tests.unit.ssh.test_known_hosts import new_key

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
ADDRESS = "203.0.113.13"


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PKey:
    """Return the key that db-1 offers."""
    shutil.copy(EXAMPLE, tmp_path / "inventory.yaml")
    offered = new_key(tmp_path, "offered")
    monkeypatch.setattr(trust, "offered_key", lambda target: (target.address, offered))
    return offered


def trusted(folder: Path, *words: str, typed: str = "") -> Result:
    argv = ["trust", "db-1", "-i", str(folder / "inventory.yaml"), *words]
    return CliRunner().invoke(app, argv, input=typed)


def pins(folder: Path) -> str:
    file = folder / "known_hosts"
    return file.read_text() if file.exists() else ""


def test_the_whole_fingerprint_pins_the_key(tmp_path: Path, key: PKey) -> None:
    assert trusted(tmp_path, "--fingerprint", key.fingerprint).exit_code == 0
    assert key.get_base64() in pins(tmp_path)


@pytest.mark.parametrize("end", [1, 8, 43])
def test_the_end_of_a_fingerprint_pins_nothing(tmp_path: Path, key: PKey, end: int) -> None:
    ran = trusted(tmp_path, "--fingerprint", key.fingerprint[-end:])
    assert isinstance(ran.exception, HostKeyError)
    assert pins(tmp_path) == ""


def test_another_key_than_the_pinned_one_is_a_host_that_could_not_be_reached(
    tmp_path: Path, key: PKey
) -> None:
    older = new_key(tmp_path, "older")
    (tmp_path / "known_hosts").write_text(f"{ADDRESS} {older.get_name()} {older.get_base64()}\n")
    ran = trusted(tmp_path, "--fingerprint", key.fingerprint)
    assert isinstance(ran.exception, HostKeyError)
    assert exit_code([ran.exception]) == 3
    assert key.get_base64() not in pins(tmp_path)
    assert trusted(tmp_path, "--replace", "--fingerprint", key.fingerprint).exit_code == 0
    assert key.get_base64() in pins(tmp_path)


def test_a_revoked_key_is_refused_by_name(tmp_path: Path, key: PKey) -> None:
    (tmp_path / "known_hosts").write_text(f"@revoked {ADDRESS} {key.get_name()} {key.get_base64()}\n")
    ran = trusted(tmp_path, "--replace", "--fingerprint", key.fingerprint)
    assert isinstance(ran.exception, HostKeyError)
    assert "is revoked" in ran.exception.what


def test_where_nobody_answers_the_option_is_named(tmp_path: Path, key: PKey) -> None:
    ran = trusted(tmp_path)
    assert isinstance(ran.exception, TempoInfraError)
    assert exit_code([ran.exception]) == 1
    assert "--fingerprint" in ran.exception.remedy
    assert pins(tmp_path) == ""
    assert isinstance(key, Ed25519Key)


@pytest.mark.parametrize(("typed", "pinned"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_decides(tmp_path: Path, key: PKey, typed: str, *, pinned: bool) -> None:
    assert trusted(tmp_path, typed=typed).exit_code == (0 if pinned else 1)
    assert (key.get_base64() in pins(tmp_path)) is pinned
