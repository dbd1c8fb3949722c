"""Plain scalars as the servers read them; the table was compared with go-yaml v3.0.1 itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tempo_infra.render.go_yaml import LEAST, MOST_UNSIGNED, is_unclear, resolve
from tempo_infra.render.parse import refuse_ambiguous, yaml

READ = {
    "1e3": 1000.0,
    "1.5E+3": 1500.0,
    "-2e-2": -0.02,
    ".5": 0.5,
    "5.": 5.0,
    ".5_0": 0.5,
    "._5": "._5",
    "08": 8.0,  # no octal, so a float
    "0600": 384,
    "0o600": 384,
    "0x1F": 31,
    "-0x1f": -31,
    "0b11": 3,
    "0b-11": -3,
    "+5": 5,
    "1_000": 1000,
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": 2**63,
    "18446744073709551615": 2**64 - 1,
    "18446744073709551616": 2.0**64,
    "-9223372036854775808": -(2**63),
    "-9223372036854775809": -(2.0**63),
    "+18446744073709551615": 2.0**64,
    "1e400": "1e400",
    "22:22": "22:22",
    "yes": "yes",
    "NO": "NO",
    "0x": "0x",
    "1e": "1e",
    "._": "._",
    ".": ".",
    "-": "-",
    "=": "=",
    "1.2.3": "1.2.3",
    "1__0": 10,
    "Null": None,
    "~": None,
    "": None,
    "TRUE": True,
    "tRUE": "tRUE",
    "-.INF": -math.inf,
    "72h": "72h",
}


@pytest.mark.parametrize(("text", "value"), READ.items())
def test_a_plain_scalar_is_what_the_server_makes_of_it(text: str, value: object) -> None:
    found = resolve(text)
    assert (found, type(found)) == (value, type(value))
    assert yaml(f"a: [{text}]\n") == {"a": [value] if text else []}


@given(st.integers(LEAST, MOST_UNSIGNED))
@example(2**63 - 1)
def test_every_whole_number_of_64_bits_is_one_in_every_base(number: int) -> None:
    sign, digits = ("-", -number) if number < 0 else ("", number)
    for text in (
        f"{number}",
        f"{sign}{digits:#x}",
        f"{sign}{digits:#o}",
        f"{sign}{digits:#b}",
        f"{digits:_}",
    ):
        assert resolve(text) == (digits if text == f"{digits:_}" else number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read_as_it_is_written(number: float) -> None:
    for text in (repr(number), f"{number:e}", f"{number:E}"):
        assert resolve(text) == float(text)


@given(st.text(max_size=40) | st.from_regex(r"[-+]?[0-9._xobeE+-]{0,30}", fullmatch=True))
@example("9" * 5000)
@example("0" * 5000 + "1")
def test_whatever_else_stands_there_is_text_as_it_is(text: str) -> None:
    found = resolve(text)
    assert found == text if isinstance(found, str) else found is None or isinstance(found, bool | int | float)


@pytest.mark.parametrize("text", ["yes", "Off", "y", "N", "2026-01-02", "010", "-0_7", "<<"])
def test_what_depends_on_who_asks_is_refused_and_its_quotes_end_that(text: str) -> None:
    assert is_unclear(text)
    for unclear in (f"a: {text}\n", f"{text}: a\n", f"a: [1, {text}]\n"):
        with pytest.raises(ValueError, match="readers of YAML differ"):
            refuse_ambiguous(unclear)
    refuse_ambiguous(f"a: '{text}'\n")


@pytest.mark.parametrize("text", ["1e3", "22:22", "1_000", "0x1F", "9223372036854775807", ".5", "0", "-7"])
def test_what_has_one_meaning_is_taken_without_quotes(text: str) -> None:
    refuse_ambiguous(f"history.rps:\n  - value: {text}\n")
