"""Going back runs the content that a generation had, whatever its names stand for by now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import engine, images
from tempo_infra.on_host.images import have, remember
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError

GENERATION = "a" * 64
OLD, NEW = f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"
TAG = "registry.lab:5000/postgres:17"
PINNED = f"{TAG}@sha256:{'d' * 64}"


class Docker:
    """Images here by reference and by id, and what the registry has."""

    def __init__(self, here: dict[str, str], registry: dict[str, str]) -> None:
        self.here, self.registry = dict(here), registry
        self.pulled: list[str] = []
        self.containers: list[dict[str, Any]] = []

    def image_id(self, reference: str, **_: float) -> str:
        return reference if reference in self.here.values() else self.here.get(reference, "")

    def pull(self, args: Any) -> None:
        for reference in args.images:
            self.pulled.append(reference)
            if reference not in self.registry:
                raise StepError(f"image {reference}: not found")
            self.here[reference] = self.registry[reference]

    def tag(self, words: list[str], **_: float) -> None:
        assert words[:2] == ["docker", "tag"]
        self.here[words[3]] = words[2]


def playing(
    monkeypatch: pytest.MonkeyPatch, here: dict[str, str], registry: dict[str, str] | None = None
) -> Docker:
    docker = Docker(here, registry or {})
    monkeypatch.setattr(engine, "image_id", docker.image_id)
    monkeypatch.setattr(engine, "containers", lambda **_: docker.containers)
    monkeypatch.setattr(images, "pull", docker.pull)
    monkeypatch.setattr(images, "must", docker.tag)
    return docker


def generation(root: Path, reference: str, known: str = "") -> Layout:
    layout = Layout(root)
    folder = layout.generations / GENERATION
    folder.mkdir(parents=True)
    services = {
        "postgresql": {"image": reference, "job": False, "role": "postgresql"},
        "schema": {"image": "temporalio/admin-tools:1.31.2", "job": True, "role": "postgresql"},
    }
    (folder / "manifest.json").write_text(json.dumps({"files": {}, "services": services}))
    if known:
        (folder / "images.json").write_text(json.dumps({reference: known}))
    return layout


@pytest.mark.parametrize(
    ("reference", "known", "here", "registry", "pulled", "then"),
    [
        (TAG, OLD, {TAG: OLD}, {}, [], OLD),
        (TAG, OLD, {TAG: NEW, "dangling": OLD}, {}, [], OLD),  # the name moved on: it is given back
        (TAG, OLD, {"dangling": OLD}, {TAG: NEW}, [], OLD),
        (TAG, OLD, {}, {TAG: OLD}, [TAG], OLD),  # pruned, and the registry still has it
        (TAG, "", {TAG: NEW}, {}, [], NEW),  # confirmed before ids were kept
        (PINNED, OLD, {PINNED: OLD}, {}, [], OLD),
        (PINNED, OLD, {}, {PINNED: OLD}, [PINNED], OLD),
        (
            PINNED,
            OLD,
            {},
            {PINNED: NEW},
            [PINNED],
            NEW,
        ),  # Docker compared the digest; an id is the engine's own
    ],
)
def test_the_content_is_the_one_that_it_had(
    reference: str,
    known: str,
    here: dict[str, str],
    registry: dict[str, str],
    pulled: list[str],
    then: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    docker = playing(monkeypatch, here, registry)
    have(generation(tmp_path, reference, known), GENERATION)
    assert (docker.pulled, docker.here[reference]) == (pulled, then)


@pytest.mark.parametrize("here", [{}, {TAG: NEW}])
def test_another_content_under_the_same_name_is_refused(
    here: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing(monkeypatch, here, {TAG: NEW})
    with pytest.raises(StepError, match=r"postgres:17 is another content now: sha256:1{12}, .* sha256:0{12}"):
        have(generation(tmp_path, TAG, OLD), GENERATION)


def test_a_name_that_nobody_knows_the_content_of_is_not_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = playing(monkeypatch, {}, {TAG: NEW})
    with pytest.raises(
        StepError, match=r"postgres:17 is gone from this host, and nobody knows which content"
    ):
        have(generation(tmp_path, TAG), GENERATION, kept=True)
    assert docker.pulled == []


def test_a_new_generation_pulls_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = playing(monkeypatch, {}, {TAG: NEW})
    have(generation(tmp_path, TAG), GENERATION)
    assert docker.pulled == [TAG]


def test_what_was_confirmed_first_is_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = playing(monkeypatch, {})
    layout = generation(tmp_path, TAG)
    docker.containers = [
        {"Config": {"Image": TAG}, "Image": OLD},
        {"Config": {"Image": "of/another:generation"}, "Image": NEW},
    ]
    remember(layout, GENERATION)
    docker.containers = [{"Config": {"Image": TAG}, "Image": NEW}]
    remember(layout, GENERATION)
    assert json.loads((layout.generations / GENERATION / "images.json").read_text()) == {TAG: OLD}


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}', "null"])
def test_a_damaged_record_is_said(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch, {TAG: NEW})
    layout = generation(tmp_path, TAG)
    (layout.generations / GENERATION / "images.json").write_text(text)
    with pytest.raises(StepError, match=r"images.json can't be read"):
        have(layout, GENERATION)
