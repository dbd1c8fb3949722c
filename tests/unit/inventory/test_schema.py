"""The JSON Schema: true for the examples, false for bad files, and a description everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from tempo_infra.inventory.document import parse
from tempo_infra.inventory.schema import keys_at, schema
from tests.unit.inventory.texts import EXAMPLES, changed

if TYPE_CHECKING:
    from pathlib import Path

VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_fit(path: Path) -> None:
    assert not list(VALIDATOR.iter_errors(parse(path.read_text("utf-8"))[0].value))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("history]", "histroy]", ["hosts", "one", "roles", 5]),
        ("shards: 512", "shards: 500", ["temporal", "shards"]),
        ("shards: 512", "shard: 512", ["temporal"]),
        ("memory: 8GiB", "memory: 8GB", ["hosts", "one", "resources", "memory"]),
        ("  one:", "  One:", ["hosts"]),
        ("version: 17", "version: 18", ["postgres", "version"]),
        (
            "hosts:",
            "classes: {C-Series: {thresholds: {fsync: 1}}}\nhosts:",
            ["classes", "C-Series", "thresholds"],
        ),
        ("hosts:", "accept: [all]\nhosts:", ["accept", 0]),
    ],
)
def test_an_editor_shows_what_the_loader_refuses(old: str, new: str, where: list[str | int]) -> None:
    tree = parse(changed((old, new)))[0].value
    assert where in [list(error.absolute_path) for error in VALIDATOR.iter_errors(tree)]


def test_every_key_is_described() -> None:
    def undescribed(node: dict[str, Any], at: str) -> list[str]:
        found = []
        for name, child in node.get("properties", {}).items():
            target = schema()["$defs"][child["$ref"].rpartition("/")[2]] if "$ref" in child else child
            if not (child.get("description") or target.get("description")) and "thresholds" not in at:
                found.append(f"{at}.{name}")
        return found

    parts = {"": schema(), **schema()["$defs"]}
    assert [
        key for at, node in parts.items() for key in undescribed(node, at) if not key.endswith("_ms")
    ] == []


@pytest.mark.parametrize(
    ("loc", "key"),
    [
        ((), "hosts"),
        (("hosts", "any-name"), "roles"),
        (("hosts", "any-name", "resources", "disk"), "kind"),
        (("temporal", "namespaces", 3), "retention"),
        (("classes", "Tiny", "thresholds"), "rtt_ms"),
        (("hosts", "any-name", "ssh"), "port"),
    ],
)
def test_the_known_keys_of_a_place(loc: tuple[str | int, ...], key: str) -> None:
    assert key in keys_at(loc)


def test_nothing_is_known_where_nothing_is() -> None:
    assert keys_at(("cluster", "x", 3)) == ()


def test_yaml_1_1_would_not_do() -> None:
    """Why the examples are parsed by our own reader above: the usual one reads Norway as false."""
    assert yaml.safe_load("country: NO") == {"country": False}
