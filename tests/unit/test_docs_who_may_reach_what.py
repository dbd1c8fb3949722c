"""The page names every port that the code opens, and says plainly that nothing is authenticated."""

from __future__ import annotations

import re
from pathlib import Path

from tempo_infra.components import COMPONENTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/who-may-reach-what.md").read_text()
SSH = 22


def test_every_port_has_its_row() -> None:
    rows = re.findall(r"^\| ([0-9, ]+) \|", PAGE, re.MULTILINE)
    named = [int(port) for row in rows for port in row.split(",")]
    services = [port.number for one in COMPONENTS for port in one.ports]
    assert sorted(named) == sorted([*services, SSH])


def test_the_sentence_stands_where_people_look() -> None:
    assert "**Nothing is authenticated yet.**" in PAGE
    assert "whoever reaches Temporal's ports is let in" in (ROOT / "README.md").read_text()
    assert "**Nothing is authenticated or encrypted" in (ROOT / "SECURITY.md").read_text()
