"""Each row of the page of bad input names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/bad-input.md").read_text()
FOUND: list[tuple[str, str]] = re.findall(r"^\| (B\d+) \|(.*)$", PAGE, re.MULTILINE)
ROWS = dict(FOUND)


def test_every_row_is_there() -> None:
    assert [number for number, _ in FOUND] == [f"B{number}" for number in range(1, len(ROWS) + 1)]
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", sorted(ROWS))
def test_a_row_names_tests_that_there_are(row: str) -> None:
    named = re.findall(r"`(tests/\S+)::(\w+)`", ROWS[row])
    assert named
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]
    assert missing == []
