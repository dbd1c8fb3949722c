"""Facts come from outside: whole, of this schema, and without anything that steers a terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.checks import FactsError, read_facts
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks.hosts import fsync, having, healthy


def test_facts_survive_the_way_as_json() -> None:
    facts = having(healthy(), "fsync", Reading(fsync(p50_us=0)))
    assert read_facts(json.dumps(facts.to_json())) == facts


def _changed(path: str, value: Any) -> str:
    plain = healthy().to_json()
    part = plain
    *folders, last = path.split(".")
    for name in folders:
        part = part[name]
    part[last] = value
    return json.dumps(plain)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[1", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "schema None"),
        (_changed("schema", 1), "schema 1; this version reads 3"),
        (_changed("seconds", "12"), "seconds"),
        (_changed("kernel.value.swappiness.value", "60"), "kernel.value.swappiness.value"),
        (_changed("kernel.value.swappiness.value", value=True), "kernel.value.swappiness.value"),
        (_changed("kernel.value.extra", 1), "keys that this version doesn't know"),
        (_changed("seconds", float("nan")), "NaN"),
        (json.dumps({"schema": 3}), "Field required"),
        (" " * (1024 * 1024 + 1), "more than facts can be"),
        (_changed("seconds", 0).replace('"seconds": 0', '"seconds": 1e999', 1), "1e999"),
    ],
    ids=range(13),
)
def test_what_is_not_facts_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(FactsError) as caught:
        read_facts(text, host="db-1")
    assert words in caught.value.what
    assert caught.value.host == "db-1"


@pytest.mark.thorough
@given(st.text())
def test_a_hosts_words_cannot_steer_the_terminal(words: str) -> None:
    facts = read_facts(_changed("system.value.hostname.value", f"\x1b[2J\x00{words}\u202e"))
    assert facts.system.value is not None
    name = facts.system.value.hostname.value
    assert name is not None
    assert name.startswith("?")  # the sequence is gone, what has no look is marked
    assert not {"\x1b", "\x00", "\u202e", "\n", "\x9b"} & set(name)
