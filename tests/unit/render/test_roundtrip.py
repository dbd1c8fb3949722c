"""A value that is printed in the wrong place or by the wrong filter is caught by reading the file again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render.engine import Engine
from tempo_infra.render.roundtrip import check

if TYPE_CHECKING:
    from pathlib import Path


def run(tmp_path: Path, source: str, reader: str, value: str) -> object:
    (tmp_path / "t.j2").write_text(source)
    return Engine(tmp_path).render("t.j2", {"value": value}, lambda rendered: check(rendered, reader))


@pytest.mark.parametrize(
    ("source", "reader", "value", "found"),
    [
        ("a: {{ value | yaml }}", "yaml", "x: 1\nb: 2", {"a": "x: 1\nb: 2"}),
        ("{{ value | yaml }}: [1]", "yaml", "NO", {"NO": [1]}),
        ("a: {{ value | compose }}", "compose", "$HOME $$ ${X:-y}", {"a": "$HOME $$ ${X:-y}"}),
        ("a = {{ value | pgconf }}", "pgconf", "it's # b = 1", {"a": "it's # b = 1"}),
        ("{{ value | sysctl }} = 1", "sysctl", "vm.swappiness", {"vm.swappiness": "1"}),
        ("{{ value | limits }} soft", "limits", "root", [["root", "soft"]]),
        ("x {{ value | sh }}", "sh", "a b", ["x", "a b"]),
        ("# {{ value | comment }}\na: 1", "yaml", "x\nb: 2", {"a": 1}),
    ],
)
def test_a_value_reads_back(tmp_path: Path, source: str, reader: str, value: str, found: object) -> None:
    assert run(tmp_path, source, reader, value) == found


@pytest.mark.parametrize(
    ("source", "reader", "value"),
    [
        ("a: {{ value | comment }}", "yaml", "1"),  # a string became a number
        ("a: {{ value | comment }}", "yaml", "x # rest"),  # part of it became a comment
        ("a: {{ value | comment }}", "yaml", "{b: 1}"),  # it became a mapping
        ("a: {{ value | yaml }}", "compose", "x"),
        ("a: $HOME {{ value | compose }}", "compose", "x"),
        ("a: {{ value | comment }}", "yaml", "[x"),  # it broke the file
        ('a: "{{ value | yaml }}"', "yaml", "x y"),  # quoted twice
        ("a: {{ value | pgconf }}", "yaml", "x"),  # another format's quotes
        ("a = {{ value | comment }}", "pgconf", "1 # x"),
        ("a = {{ value | comment }}", "sysctl", "1  "),
        ("x {{ value | comment }}", "hba", "a b"),
        ("x {{ value | yaml }}", "sh", "$(reboot) it's"),
    ],
)
def test_a_value_that_would_be_something_else_is_refused(
    tmp_path: Path, source: str, reader: str, value: str
) -> None:
    with pytest.raises(InputError, match=r"t\.j2: what it renders"):
        run(tmp_path, source, reader, value)


def test_the_message_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"services\.a\[0\]: 1 instead of '1'"):
        run(tmp_path, "services:\n  a:\n    - {{ value | comment }}", "yaml", "1")
