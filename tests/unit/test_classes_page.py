"""The review of the classes quotes `explain`: the quotations are what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "classes.md").read_text()
QUOTED = re.findall(r"```\n\$ tempo-infra (explain [^\n]+)\n(.*?)```", PAGE, re.DOTALL)
CLASSES = ("C-Series", "NVMe-Series", "High-RAM")


@pytest.mark.parametrize(("command", "answer"), QUOTED, ids=[command.split()[-1] for command, _ in QUOTED])
def test_the_answer_is_the_commands_own(command: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert CliRunner().invoke(app, shlex.split(command)).output == answer


@pytest.mark.parametrize("name", CLASSES)
def test_three_values_of_each_class_are_questioned(name: str) -> None:
    section = next(part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(name))
    for part in section.split("\n### ")[1:]:
        assert all(
            word in part for word in ("$ tempo-infra explain", "**Measured:**", "**Against it:**", "**So:**")
        )
    assert section.count("\n### ") == 3
