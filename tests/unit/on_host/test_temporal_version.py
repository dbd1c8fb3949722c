"""From one generation to another, also back by hand: neighbours of Temporal's versions only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host import arming, images
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.temporal_version import line, too_far
from tests.unit.on_host import a_host


def holding(layout: Layout, generation: str, image: str, *, role: str = "history") -> None:
    place = layout.generations / generation / "manifest.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    body = json.loads(place.read_text()) if place.exists() else {"files": {}, "services": {}}
    body["services"][role] = {"image": image, "job": False}
    place.write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("temporalio/server:1.31.2", (1, 31)),
        (f"registry.example:5000/temporalio/server:1.32.0@sha256:{'1' * 64}", (1, 32)),
        ("temporalio/server:1.32.0-rc.1", (1, 32)),
        ("registry.example:5000/temporalio/server", None),
        ("temporalio/server:latest", None),
    ],
)
def test_a_tag_says_the_line(image: str, found: tuple[int, int] | None) -> None:
    assert line(image) == found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("1.31.2", "1.32.0", ""),
        ("1.32.0", "1.31.5", ""),
        ("1.31.2", "1.33.0", "from Temporal 1.31 to 1.33: only one minor version at a time"),
        ("1.33.0", "1.31.2", "from Temporal 1.33 to 1.31: only one minor version at a time"),
        ("1.99.0", "2.0.0", "from Temporal 1.99 to 2.0: only one minor version at a time"),
        ("latest", "1.33.0", ""),
    ],
)
def test_neighbours_are_near_enough(tmp_path: Path, old: str, new: str, says: str) -> None:
    layout = Layout(tmp_path)
    holding(layout, "a", f"temporalio/server:{old}")
    holding(layout, "b", f"temporalio/server:{new}")
    holding(layout, "b", "temporalio/ui:9.9.9", role="ui")
    assert too_far(layout, "a", "b") == says
    assert too_far(layout, "0", "b") == ""


def test_nothing_is_armed_for_a_jump_whoever_orders_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = a_host.make(tmp_path, monkeypatch)
    monkeypatch.setattr(images, "have", lambda *_, **__: None)
    monkeypatch.setattr(arming, "_need_secrets", lambda *_: None)
    holding(layout, a_host.OLD, "temporalio/server:1.31.2")
    holding(layout, a_host.NEW, "temporalio/server:1.33.0")
    args = change.Arm("r1", "me", a_host.NEW, a_host.OLD, "10.0.0.1", [])
    with pytest.raises(StepError, match=r"from Temporal 1\.31 to 1\.33"):
        arming.arm(layout, args)
    assert not layout.armed.exists()
