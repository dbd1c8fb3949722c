"""The review of the classes has the same parts for each value; test_docs_commands compares what it quotes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "classes.md").read_text()
CLASSES = ("C-Series", "NVMe-Series", "High-RAM")


@pytest.mark.parametrize("name", CLASSES)
def test_three_values_of_each_class_are_questioned(name: str) -> None:
    section = next(part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(name))
    for part in section.split("\n### ")[1:]:
        assert all(
            word in part for word in ("$ tempo-infra explain", "**Measured:**", "**Against it:**", "**So:**")
        )
    assert section.count("\n### ") == 3
