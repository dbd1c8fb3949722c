"""An own YAML file reaches a host as it was judged: its values, and nothing else that stood there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render import parse
from tempo_infra.render.engine import Rendered
from tempo_infra.render.rewriting import written

OWN = Rendered(Path("templates/x.j2"), "text as it was", (), own=True)


def test_the_text_is_plain_for_people_too() -> None:
    found = {
        "a": {"b": [1, "x y", {"c": True, "d": None}], "e": {}, "f": []},
        "yes": "no",
        "0o14": "# enable-template",
        "g": [[1.5, -2], "a\nb"],
    }
    assert written("Ours.", OWN, found, "yaml") == (
        "# Ours.\n"
        "a:\n"
        "  b:\n"
        "    - 1\n"
        '    - "x y"\n'
        "    - c: true\n"
        "      d: null\n"
        "  e: {}\n"
        "  f: []\n"
        '"yes": "no"\n'
        '"0o14": "# enable-template"\n'
        "g:\n"
        "  - - 1.5\n"
        "    - -2\n"
        '  - "a\\nb"\n'
    )


@pytest.mark.parametrize(
    "found", [{}, [], None, {"a": ""}, {"": 1}, {"a": "\u00e5\u2028\U0001f600"}, {"a": "- b: c"}]
)
def test_what_is_written_reads_back(found: object) -> None:
    assert parse.yaml(written("Ours.", OWN, found, "yaml")) == found


def test_compose_sees_the_dollars_that_were_meant() -> None:
    text = written("Ours.", OWN, {"a": "$HOME"}, "compose")
    assert text == '# Ours.\na: "$$HOME"\n'
    assert parse.compose(text) == {"a": "$HOME"}


@pytest.mark.parametrize("value", [1e300, float("inf"), float("nan")])
def test_a_number_that_readers_write_in_their_own_way_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"^templates/x\.j2: .* is not a plain number"):
        written("Ours.", OWN, {"a": value}, "yaml")


def test_other_formats_stay_as_they_are() -> None:
    assert written("Ours.", OWN, {"a": "1"}, "pgconf") == "text as it was"
