"""Units and scripts: what is no comment is ours to the byte, whatever blanks and backslashes are about."""

from __future__ import annotations

import shlex

import pytest

from tempo_infra.render.lines import SCRIPT_FREE, UNIT_FREE, differing
from tempo_infra.render.templates import built_in

UNIT = (
    "# ours\n[Unit]\nDescription=x\nAfter=a\n\n[Service]\nExecStart=/bin/sh -c 'a; \\\n  b'\nRestartSec=5s\n"
)
SCRIPT = '#!/bin/sh\n# ours\nset -eu\n\numask 077\nmigrate "$1" \\\n    "$2"\n'
EVIL = "ExecStartPre=/bin/evil"

HIDDEN_IN_UNITS = {
    "a blank behind a backslash": f"Description=x \\ \n{EVIL}\n",
    "a tab behind a backslash": f"Description=x \\\t\n{EVIL}\n",
    "a blank of another kind": f"Description=x \\\u00a0\n{EVIL}\n",
    "a wide blank": f"Documentation=x \\\u3000\n{EVIL}\n",
    "a backslash": "Description=x \\\n",
    "a backslash in a comment": "# x \\\n",
    "two backslashes": f"Description=x \\\\\n{EVIL}\n",
    "a comment that is none": f"\u00a0# x\n{EVIL}\n",
    "a comment of another kind": "\u2003; x\n",
    "a blank line of another kind": "\u00a0\n",
    "no pause": "RestartSec=0\n",
    "a pause in other digits": "RestartSec=\u0665s\n",
    "another key": "description=x\n",
    "a program": f"{EVIL}\n",
}


@pytest.mark.parametrize("more", HIDDEN_IN_UNITS.values(), ids=HIDDEN_IN_UNITS)
@pytest.mark.parametrize("at", ["[Unit]\n", "[Service]\n", "After=a\n", "RestartSec=5s\n"])
def test_a_unit_says_no_more(more: str, at: str) -> None:
    assert list(differing(UNIT.replace(at, at + more), UNIT, UNIT_FREE))


def test_what_is_said_more_is_named_so_that_it_is_seen() -> None:
    own = UNIT.replace("[Service]\n", f"[Service]\nDescription=x \\\u00a0\n{EVIL}\n")
    assert list(differing(own, UNIT, UNIT_FREE)) == [r"'Description=x \\\xa0'", EVIL]
    assert list(differing(UNIT.replace("After=a\n", ""), UNIT, UNIT_FREE)) == ["After=a is missing"]
    assert list(
        differing(UNIT.replace("[Unit]\nDescription=x\nAfter=a\n", "After=a\n[Unit]\n"), UNIT, UNIT_FREE)
    ) == ["its lines are in another order"]


@pytest.mark.parametrize("free", ["", "  ", "# x", "; x", "Description=x", "RestartSec=7s"])
def test_nothing_is_free_within_a_line_that_goes_on(free: str) -> None:
    own = UNIT.replace("a; \\\n", f"a; \\\n{free}\n")
    assert list(differing(own, UNIT, UNIT_FREE)) or free in UNIT.split("\n")
    assert own != UNIT


@pytest.mark.parametrize(
    "change",
    [
        ("Description=x", "Description=ours: «x» 100%"),
        ("Description=x\n", ""),
        ("RestartSec=5s", "RestartSec=2min"),
        ("# ours\n", "\t # theirs\n; and more\n\n"),
        ("[Service]\n", "[Service]\n   \nDocumentation=https://example.org/x\n"),
    ],
)
def test_what_means_nothing_is_free(change: tuple[str, str]) -> None:
    assert change[0] in UNIT
    assert list(differing(UNIT.replace(*change), UNIT, UNIT_FREE)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("set -eu\n", "\u00a0# nothing || : ; id\nset -eu\n"),
        ("set -eu\n", "\u3000#\nset -eu\n"),
        ("set -eu\n", "set\\\n-eu\n"),
        ("set -eu\n", " set -eu\n"),
        ("set -eu\n", "set -eu \n"),
        ("set -eu\n", "set -eu\u00a0\n"),
        ("set -eu\n", "set -eu # x\n"),
        ("set -eu\n", "# set -eu\n"),
        ("umask 077\n", "umask\\\n077\n"),
        ("# ours\n", "# ours \\\nid\n"),
        ("# ours\n", "# ours \\\n"),
        ("# ours\n", "; x\n"),
        ("# ours\n", "Description=x\n"),
        ('"$1" \\\n', '"$1" \\ \n'),
        ('"$1" \\\n', '"$1" \\\n# x\n'),
        ('"$1" \\\n', '"$1" \\\n\n'),
        ('"$1" \\\n    "$2"', '"$1" "$2"'),
    ],
)
def test_a_script_does_no_more(old: str, new: str) -> None:
    assert old in SCRIPT
    assert list(differing(SCRIPT.replace(old, new), SCRIPT, SCRIPT_FREE))


def test_comments_of_a_script_are_free() -> None:
    own = SCRIPT.replace("# ours\n", "\t# for «the auditors»: $(id) `id`\n \n").replace(
        "\n\numask", "\numask"
    )
    assert list(differing(own, SCRIPT, SCRIPT_FREE)) == []


def test_no_line_of_our_script_begins_within_quotes_of_the_one_before() -> None:
    """A comment that somebody puts between two of them would be none there."""
    script = (built_in() / "services/schema/migrate.sh.j2").read_text()
    for line in script.splitlines():
        assert (
            line.lstrip().startswith("#") or shlex.split(line) is not None
        )  # ValueError: no closing quotation
    assert "<<" not in script
