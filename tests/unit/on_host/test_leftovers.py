"""What a cut run leaves is found and taken away; nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.leftovers import find, sweep
from tests.unit.on_host.test_undo import ARMED

OWNED = "etc/sysctl.d/60-tempo-infra.conf"
STATE = "var/lib/tempo-infra"
HEX = "0123456789ab"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    manifest = tmp_path / STATE / "generations/a/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(
        json.dumps({"files": {OWNED: {"sha256": "0"}, "docker-compose.yml": {"sha256": "1"}}})
    )
    return Layout(tmp_path)


def put(layout: Layout, *paths: str) -> None:
    for path in paths:
        (layout.root / path).parent.mkdir(parents=True, exist_ok=True)
        (layout.root / path).write_text("")


@pytest.mark.parametrize(
    "path",
    [
        f"{STATE}/.armed.json.{HEX}",
        f"{STATE}/generations/.b.{HEX}",
        f"{STATE}/services/.ui-1.{HEX}",
        f"{STATE}/secrets/temporal/.db_password.{HEX}",
        f"{STATE}/secrets/.temporal.{HEX}",
        f"{STATE}/runs/r1/.before.new",
        f"etc/sysctl.d/.60-tempo-infra.conf.{HEX}",
        f"etc/systemd/system/.tempo-infra-boot.service.{HEX}",
        "etc/systemd/system/tempo-infra-boot.service",
        f"{STATE}/reserve",
        "run/tempo-infra-r1",
        "run/tempo-infra-r1.new",
    ],
)
def test_what_a_cut_run_leaves_is_taken_away(layout: Layout, path: str) -> None:
    put(layout, path)
    assert find(layout) == [layout.root / path]
    assert sweep(layout) == 1
    assert find(layout) == []
    assert not (layout.root / path).exists()


@pytest.mark.parametrize(
    "path",
    [
        "etc/sysctl.d/.other.conf.0123456789ab",  # someone else's
        "etc/sysctl.d/.60-tempo-infra.conf.swp",  # an editor's
        OWNED,
        f"{STATE}/journal.jsonl",
        f"{STATE}/generations/a/docker-compose.yml",
    ],
)
def test_nothing_else_is(layout: Layout, path: str) -> None:
    put(layout, path)
    assert find(layout) == []


def test_what_guards_an_open_change_is_none(layout: Layout) -> None:
    put(layout, f"{STATE}/reserve", "run/tempo-infra-r1", "etc/systemd/system/tempo-infra-boot.service")
    guard.write(layout, ARMED)
    assert find(layout) == []


def test_a_generation_that_a_later_version_made_keeps_nobody_from_looking(layout: Layout) -> None:
    """After a rollback to what an earlier version made, its program goes on here."""
    later = layout.generations / "b/manifest.json"
    later.parent.mkdir()
    later.write_text(json.dumps({"format": 99, "files": {}}))
    put(layout, f"etc/sysctl.d/.60-tempo-infra.conf.{HEX}")
    assert [path.name for path in find(layout)] == [f".60-tempo-infra.conf.{HEX}"]
