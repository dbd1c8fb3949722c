"""The tree: types by the YAML 1.2 core schema, places, and what YAML has that an inventory has not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.inventory.document import (
    MOST_NODES,
    MalformedError,
    Mapping,
    WrittenFloat,
    WrittenInt,
    core_schema,
    descend,
    mark_of,
    parse,
)
from tempo_infra.inventory.problems import Mark


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("off", "off"),
        ("yes", "yes"),
        ("22:22", "22:22"),
        ("0600", "0600"),
        ("1_000", "1_000"),
        ("2026-11-20", "2026-11-20"),
        ("1.31.2", "1.31.2"),
        ("=", "="),
        ("<<", "<<"),
        ("0b11", "0b11"),
        (".", "."),
        ("-", "-"),
        ("1e", "1e"),
        ("9" * 5000, "9" * 5000),
        ("17", 17),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.10", 1.1),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63)),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_the_core_schema(text: str, value: object) -> None:
    found = core_schema(text)
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)
    assert isinstance(found, str) == isinstance(value, str)


@pytest.mark.parametrize("text", ["17", "1.10", "0x1F", "1e3", ".5"])
def test_a_number_remembers_how_it_was_written(text: str) -> None:
    found = core_schema(text)
    assert isinstance(found, WrittenInt | WrittenFloat)
    assert found.text == text


def test_not_a_number_is_one_of_floats() -> None:
    assert math.isnan(float(core_schema(".nan") or 0))


@given(st.text(max_size=30))
def test_any_scalar_has_a_value(text: str) -> None:
    assert isinstance(core_schema(text), str | int | float | bool | None)


def test_quotes_make_text() -> None:
    tree, _ = parse("a: '17'\nb: \"true\"\nc: ~\n")
    assert tree.value == {"a": "17", "b": "true", "c": None}


def test_every_node_knows_its_place() -> None:
    tree, _ = parse("a:\n  - x\n  - {b: é, c: 1}\nd:\n")
    assert mark_of(tree, ("a", 0)) == Mark(2, 5)
    assert mark_of(tree, ("a", 1, "c")) == Mark(3, 15)
    assert mark_of(tree, ("a", 1, "c"), key=True) == Mark(3, 12)
    assert mark_of(tree, ("a", 1, "missing")) == Mark(3, 5)
    assert mark_of(tree, ("d",)) == Mark(4, 1)
    assert mark_of(tree, ("missing",)) == Mark(1, 1)


def test_a_block_ends_where_its_last_value_does() -> None:
    """Not where the next thing begins: what is added to it goes before the comments that follow."""
    text = "a:\n  b: 1 # why\n\n# about c\nc: 2\n"
    node = descend(parse(text)[0], ("a",))
    assert isinstance(node, Mapping)
    assert text[node.start : node.end] == "b: 1"


def test_duplicates_are_found_at_every_depth() -> None:
    tree, duplicates = parse("a: {b: 1, b: 2}\na: 3\n")
    assert [(found.loc, found.mark) for found in duplicates] == [
        (("a", "b"), Mark(1, 11)),
        (("a",), Mark(2, 1)),
    ]
    assert tree.value == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: *x\n", "the alias *x: aliases are not allowed, write the value out"),
        ("a: &x 1\n", "an anchor (&): anchors are not allowed, write the value out"),
        ("a: !x 1\n", 'the tag "!x": tags are not allowed'),
        ("a: ! 1\n", 'the tag "!": tags are not allowed'),
        ("a: !!str 1\n", 'the tag "!!str": tags are not allowed'),
        ("!!map {a: 1}\n", 'the tag "!!map": tags are not allowed'),
        ("a: 1\n---\nb: 1\n", "a second document; an inventory is one document"),
        ("{a: 1}: 2\n", "a key must be plain text; quote a value that begins with a brace"),
        ("---\n", None),
        ("a: [1, 2\n", "not valid YAML: did not find expected ',' or ']', while parsing a flow sequence"),
        ("a: b: c\n", "not valid YAML: mapping values are not allowed in this context"),
        ("a:\n\tb: c\n", "a tab indents this line; YAML wants spaces"),
        ("a: {% x %}\n", "an inventory is no template; quote the value if it really contains braces"),
        ("a: " + "[" * 41 + "]" * 41, "nested deeper than 40 levels"),
        ("[" + "1," * (MOST_NODES + 1) + "]", f"more than {MOST_NODES} values"),
    ],
)
def test_what_an_inventory_has_not(text: str, what: str | None) -> None:
    if what is None:
        assert parse(text)[0].value is None
        return
    with pytest.raises(MalformedError) as caught:
        parse(text)
    assert caught.value.problem.what.startswith(what)


def test_forty_levels_are_fine() -> None:
    assert parse("[" * 40 + "]" * 40)[0].value
