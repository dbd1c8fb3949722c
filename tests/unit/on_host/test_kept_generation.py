"""A generation is read before its host goes back to it, where its files lie, and nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host import kept_generation
from tempo_infra.on_host.layout import ZERO, Layout
from tempo_infra.on_host.shell import StepError

DIGEST = "a" * 64
OWNED, COMPOSE = "etc/sysctl.d/60-tempo-infra.conf", "docker-compose.yml"
FIXED, LIVE = "services/ui-1/config.yaml", "services/frontend-1/dynamic.yaml"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A host with a generation; the running frontend has another text of what it reads anew."""
    layout = Layout(tmp_path)
    folder = layout.generations / DIGEST
    texts = {
        folder / OWNED: "owned",
        folder / COMPOSE: "compose",
        layout.state / FIXED: "fixed",
        folder / LIVE: "live of then",
        layout.state / LIVE: "live of now",
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    files = {path: {"sha256": "0" * 64, "live": path == LIVE} for path in (OWNED, COMPOSE, FIXED, LIVE)}
    (folder / "manifest.json").write_text(json.dumps({"files": files, "services": {}}))
    monkeypatch.setattr("tempo_infra.on_host.mounts.named_by", lambda _: set())
    return layout


def test_each_text_is_read_where_it_lies(layout: Layout) -> None:
    """What a running service reads anew is the other generation's in the folder that both share."""
    found = kept_generation.read(layout, DIGEST)
    assert found.manifest == (layout.generations / DIGEST / "manifest.json").read_text()
    assert found.texts == {OWNED: "owned", COMPOSE: "compose", FIXED: "fixed", LIVE: "live of then"}


def test_a_generation_that_was_tidied_away_is_said_to_be_gone(layout: Layout) -> None:
    with pytest.raises(StepError, match=f"generation {'b' * 12} is gone"):
        kept_generation.read(layout, "b" * 64)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {"x": {}}}', '{"files": 1}'])
def test_a_damaged_one_is_an_error_of_the_host(layout: Layout, text: str) -> None:
    (layout.generations / DIGEST / "manifest.json").write_text(text)
    with pytest.raises(StepError, match="can't be read"):
        kept_generation.read(layout, DIGEST)


def test_a_file_that_is_gone_is_said(layout: Layout) -> None:
    (layout.state / FIXED).unlink()
    with pytest.raises(StepError, match="config"):
        kept_generation.read(layout, DIGEST)


def test_more_than_an_answer_holds_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_generation, "MOST_CHARACTERS", 20)
    with pytest.raises(StepError, match="too long to be shown"):
        kept_generation.read(layout, DIGEST)


def test_a_generation_whose_password_is_gone_is_refused(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = str(layout.secrets / "temporal/db_password")
    monkeypatch.setattr("tempo_infra.on_host.mounts.named_by", lambda _: {gone})
    with pytest.raises(StepError, match="which a rotation of the password took away"):
        kept_generation.read(layout, DIGEST)


def test_generation_0_has_no_files_and_must_be_kept(layout: Layout) -> None:
    with pytest.raises(StepError, match="generation 0 is gone"):
        kept_generation.read(layout, ZERO)
    layout.zero.mkdir()
    (layout.zero / "before.json").write_text("{}")
    assert kept_generation.read(layout, ZERO) == kept_generation.KeptGeneration("")
