"""The page names every port that the code opens, and says plainly that nothing is authenticated."""

from __future__ import annotations

import re
from pathlib import Path

from tempo_infra.components import COMPONENTS
from tempo_infra.components.component import Reach

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/who-may-reach-what.md").read_text()
SSH = 22


def test_every_port_has_its_row() -> None:
    rows = re.findall(r"^\| ([0-9, ]+) \|", PAGE, re.MULTILINE)
    named = [int(port) for row in rows for port in row.split(",")]
    services = [port.number for one in COMPONENTS for port in one.ports]
    assert sorted(named) == sorted([*services, SSH])


SAYS = {
    Reach.MEMBERS: "Temporal's hosts",
    Reach.CLIENTS: "clients",
    Reach.OPERATORS: "you, by `ssh",
    Reach.OWN_HOST: "`check-host`, on the host",
}


def test_who_has_to_reach_a_port_is_whom_the_table_lets() -> None:
    """Of the table of components, from which ports are published."""
    rows = re.findall(r"^\| ([0-9, ]+) \|[^|]*\|[^|]*\|([^|]*)\|", PAGE, re.MULTILINE)
    said = {int(port): who for ports, who in rows for port in ports.split(",")}
    for one in (port for row in COMPONENTS for port in row.ports):
        assert SAYS[one.reach] in said[one.number], one


def test_the_sentence_stands_where_people_look() -> None:
    assert "**Nothing is authenticated yet.**" in PAGE
    assert "whoever reaches Temporal's ports is let in" in (ROOT / "README.md").read_text()
    assert "**Nothing is authenticated or encrypted" in (ROOT / "SECURITY.md").read_text()
