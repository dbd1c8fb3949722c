from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError
from tests.unit.inventory.test_backup import AT, SECTION
from tests.unit.inventory.texts import VALID

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("words", [["backup", "now"], ["backup", "key"], ["backups"]], ids=" ".join)
def test_without_backups_nothing_is_contacted_or_written(tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(VALID)
    result = CliRunner().invoke(app, [*words, "-i", str(path)])
    assert isinstance(result.exception, InputError)
    assert "asks for no backups" in str(result.exception)
    assert [one.name for one in tmp_path.iterdir()] == ["inventory.yaml"]


def test_the_key_is_made_once_and_its_secret_half_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "inventory.yaml"
    path.write_text(VALID.replace(AT, SECTION + AT))
    first, again = (CliRunner().invoke(app, ["backup", "key", "-i", str(path)]) for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0)
    line = re.compile(r"restrict ssh-ed25519 AAAA[A-Za-z0-9+/]+ tempo-infra-oslo")
    assert line.findall(first.stdout) == line.findall(again.stdout) != []
    assert "PRIVATE" not in first.output
