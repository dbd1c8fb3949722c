"""The instance classes that come with the package."""

from __future__ import annotations

import re
from importlib.resources import files

from tempo_infra.inventory.catalogue import built_in


def test_the_three_classes_are_there_with_a_purpose_and_a_direction() -> None:
    classes = built_in().classes
    assert {name: found.leans for name, found in classes.items()} == {
        "C-Series": "cpu",
        "NVMe-Series": "io",
        "High-RAM": "memory",
    }
    assert all(found.name == name and found.purpose for name, found in classes.items())


def test_every_class_has_every_threshold_with_its_unit() -> None:
    catalogue = built_in()
    for found in catalogue.classes.values():
        assert found.thresholds.keys() == catalogue.thresholds.keys()
    unitless = {"somaxconn", "somaxconn_fail", "swappiness"}
    for name in catalogue.thresholds.keys() - unitless:
        assert re.search(r"_(ms|us|gb|gib|percent)$", name), name


def test_a_failure_lies_beyond_its_warning() -> None:
    for found in built_in().classes.values():
        for name, fails in found.thresholds.items():
            warns = found.thresholds.get(name.replace("_fail", ""))
            if "_fail" in name and warns is not None:
                smaller_is_worse = name.startswith(("disk_free", "somaxconn"))
                assert (fails < warns) if smaller_is_worse else (fails > warns), name


def test_every_group_of_numbers_has_its_source_in_a_comment() -> None:
    """In classes.yaml, a number stands under a comment, or under a number of the same subject."""
    before = ""
    numbers = 0
    text = files("tempo_infra.inventory").joinpath("classes.yaml").read_text("utf-8")
    for line in text.splitlines():
        if found := re.fullmatch(r" +([a-z0-9]+)_?[a-z0-9_]*: [0-9.]+", line):
            numbers += 1
            assert "#" in before or found[1] in before or "memory" in line, line
        before = line
    assert numbers >= len(built_in().thresholds)
