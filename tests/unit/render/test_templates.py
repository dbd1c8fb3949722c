"""The templates themselves: every value quoted, by a filter that belongs to the file's format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tempo_infra.components import COMPONENTS
from tempo_infra.render.files import BACKUP, COMPOSE, LIMITS, NAMESPACES, SYSCTL, THP, UNIT, WANTS
from tempo_infra.render.roundtrip import FILTERS
from tempo_infra.render.templates import built_in, places

PRINTED = re.compile(r"{{(.*?)}}", re.DOTALL)
READERS = {
    **{
        f"{spec.path}.j2": spec.reader
        for spec in (COMPOSE, LIMITS, NAMESPACES, SYSCTL, THP, UNIT, WANTS, *BACKUP)
    },
    **{
        f"services/{one.templates or one.name}/{spec.path}.j2": spec.reader
        for one in COMPONENTS
        for spec in one.whole.files
    },
}


def source_of(name: str) -> Path:
    """Where it lies: with the others, or beside its component's row."""
    [found] = [one for one in places(name) if one.is_file()]
    return found


def unquoted(source: str, reader: str) -> list[str]:
    ends = "|".join(sorted(FILTERS[reader]))
    return [found for found in PRINTED.findall(source) if not re.search(rf"\|\s*({ends})\s*$", found)]


def test_every_template_is_in_the_table_and_every_entry_has_one() -> None:
    found = {path.relative_to(built_in()).as_posix() for path in built_in().rglob("*") if path.is_file()}
    beside = {name for name in READERS if built_in() not in source_of(name).parents}
    assert found | beside == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_every_value_goes_through_a_filter_of_its_format(name: str) -> None:
    source = source_of(name).read_text()
    assert PRINTED.search(source)
    assert unquoted(source, READERS[name]) == []


@pytest.mark.parametrize(
    "source", ["{{ a }}", "{{ a | yaml | x }}", "{{ a | pgconf }}", "{{ a | yaml }}{{ b }}"]
)
def test_the_rule_sees_what_it_is_for(source: str) -> None:
    assert unquoted(source, "yaml")


@pytest.mark.parametrize("name", READERS)
def test_templates_say_who_owns_the_file(name: str) -> None:
    head = source_of(name).read_text().splitlines()[:2]
    assert "# {{ managed | comment }}" in head
