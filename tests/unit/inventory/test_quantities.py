"""Sizes and durations as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.inventory.quantities import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    UNITS_BYTES,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("8GiB", 8 * 1024**3),
        ("512MiB", 512 * 1024**2),
        ("1TiB", 1024**4),
        ("4KiB", 4096),
        ("7.75GiB", 7 * 1024**3 + 768 * 1024**2),
        ("0.001KiB", 1),
    ],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8GB", 'did you mean "8GiB"?'),
        ("8g", 'did you mean "8GiB"?'),
        ("8", "such as 8GiB"),
        ("8XiB", "a size needs a unit"),
        ("", "not a size"),
        ("-1GiB", "not a size"),
        ("1e3GiB", "not a size"),
        ("8 GiB", "not a size"),
        ("٨GiB", "not a size"),
        ("8GiB\n", "not a size"),
    ],
)
def test_what_is_no_size(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_size(text)


@pytest.mark.parametrize(("text", "hours"), [("72h", 72), ("3d", 72), ("2w", 336), ("0h", 0)])
def test_durations(text: str, hours: int) -> None:
    assert parse_duration(text) == hours


@pytest.mark.parametrize("text", ["", "3", "3 d", "3days", "-1h", "1.5h", "h", "3m", "³h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(1, 2**46))
def test_a_formatted_size_reads_back_to_within_a_mebibyte(size_bytes: int) -> None:
    assert 0 <= size_bytes - parse_size(format_size(size_bytes)) < UNITS_BYTES["MiB"]


@pytest.mark.thorough
@given(st.text(max_size=20))
def test_the_size_parser_and_the_schema_pattern_agree(text: str) -> None:
    _agree(parse_size, SIZE_PATTERN, text)


@given(st.from_regex(SIZE_PATTERN, fullmatch=True))
def test_the_schema_pattern_promises_no_size_too_many(text: str) -> None:
    _agree(parse_size, SIZE_PATTERN, text)


@given(st.one_of(st.text(max_size=20), st.from_regex(DURATION_PATTERN)))
def test_the_duration_parser_and_the_schema_pattern_agree(text: str) -> None:
    _agree(parse_duration, DURATION_PATTERN, text)


def _agree(parse: object, pattern: str, text: str) -> None:
    assert callable(parse)
    matches = re.fullmatch(pattern.removesuffix("$"), text) is not None
    try:
        assert parse(text) >= 0
        parsed = True
    except ValueError:
        parsed = False
    assert parsed == matches
