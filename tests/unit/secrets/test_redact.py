from __future__ import annotations

import base64
import json
import re
import shlex
import string
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.secrets import Secret, redactor

if TYPE_CHECKING:
    from collections.abc import Callable

ODD = "p'ä s$/+\"\\&=?#%~`x"
FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda value: value,
    "shell": shlex.quote,
    "shell, other habit": lambda value: "'" + value.replace("'", "'\\''") + "'",
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "url": lambda value: urllib.parse.quote(value, safe=""),
    "url path": urllib.parse.quote,
    "url form": urllib.parse.quote_plus,
    "url, lower case": lambda value: re.sub(
        "%..", lambda found: found.group().lower(), urllib.parse.quote(value, safe="")
    ),
    "url, mixed case": lambda value: urllib.parse.quote(value, safe="").replace("%2F", "%2f"),
    "json": lambda value: json.dumps({"password": value}),
    "repr": repr,
    "hex": lambda value: value.encode().hex(),
}
values = st.text(string.ascii_letters + string.digits + "-_", min_size=16, max_size=43)
odd_values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="<>"), min_size=16)
around = st.text(max_size=20)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", ["sBzG8pGF0DMuT1QhDF0L5NVzvHPxGXhjUGZ7f8JqIvY", ODD])
def test_a_secret_is_taken_out_in_every_form(form: str, value: str) -> None:
    written = FORMS[form](value)
    shown = redactor([Secret("temporal_db", value)])(f"psql: {written} refused")
    assert value not in shown
    assert written not in shown
    assert "<secret temporal_db>" in shown
    assert shown.startswith("psql: ")
    assert shown.endswith(" refused")


@pytest.mark.parametrize("form", FORMS)
def test_of_pem_no_line_survives_and_what_every_pem_has_stays(form: str) -> None:
    lines = ["MIGHAgEAMBMGByqGSM49AgEG+/8=", "CCqGSM49AwEHBG0wawIB"]
    pem = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    hide = redactor([Secret("key", pem)])
    for one in (pem, *lines):
        assert FORMS[form](one) not in hide(f"read: {FORMS[form](one)}")
    assert hide("no -----BEGIN PRIVATE KEY----- found") == "no -----BEGIN PRIVATE KEY----- found"


@given(st.sampled_from(sorted(FORMS)), values | odd_values, around, around)
def test_no_form_survives_in_any_text(form: str, value: str, before: str, after: str) -> None:
    written = FORMS[form](value)
    shown = redactor([Secret("n", value)])(before + written + after)
    assert value not in shown
    assert written not in shown


@given(st.binary(max_size=8), values, st.binary(max_size=8))
def test_base64_of_a_longer_text_is_found_at_every_offset(before: bytes, value: str, after: bytes) -> None:
    """As in HTTP's basic authentication: base64 of `user:password`."""
    encoded = base64.b64encode(before + value.encode() + after).decode()
    shown = redactor([Secret("n", value)])(encoded)
    assert "<secret n>" in shown
    assert len(shown) - len("<secret n>") <= len(encoded) - len(value)


@given(around)
def test_other_text_is_left_alone(text: str) -> None:
    assert redactor([Secret("n", "sBzG8pGF0DMuT1QhDF0L5NVzvHPxGXhjUGZ7f8JqIvY")])(text) == text


def test_each_secret_has_its_own_name_and_the_longer_one_wins() -> None:
    short, long = Secret("short", "abcdefghijklmnop"), Secret("long", "abcdefghijklmnopqrst")
    assert redactor([short, long])("abcdefghijklmnopqrst abcdefghijklmnop") == "<secret long> <secret short>"


@pytest.mark.parametrize("secrets", [[], [Secret("empty", "")], [Secret("tiny", "a")]])
def test_nothing_to_look_for_changes_nothing(secrets: list[Secret]) -> None:
    assert redactor(secrets)("a text") == "a text"
