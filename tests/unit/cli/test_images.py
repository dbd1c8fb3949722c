"""`images pin` against a registry on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError, StepFailedError
from tempo_infra.inventory import load
from tempo_infra.inventory.scaffold import example
from tempo_infra.render import render
from tempo_infra.sizing import size
from tests.unit.ssh.registries import DIGEST, Behaviour, certificate, running

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = set(load(example("oslo-trio.yaml")).image_names)


def inventory(folder: Path, images: str) -> Path:
    path = folder / "oslo.yaml"
    text = example("oslo-trio.yaml").read_text("utf-8")
    path.write_text(text.replace("images:\n", f"images:\n  {images}\n"))
    return path


@pytest.mark.parametrize("name", ["oslo-trio.yaml", "single.yaml"])
def test_what_is_pinned_is_what_is_rendered(name: str) -> None:
    cluster = load(example(name))
    rendered = {image for bundle in render(cluster, size(cluster)) for image in bundle.images}
    assert rendered == set(cluster.image_names)


def test_every_image_is_pinned_and_the_comments_stay(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path, "registry.example")
    path = inventory(tmp_path, "registry: registry.example\n  ca_file: registry.example.pem")
    before = path.read_text()
    with running(Behaviour(images=IMAGES), tls) as address:
        first = CliRunner().invoke(app, ["images", "pin", "-i", str(path), "--registry-address", address])
        after = path.read_text()
        again = CliRunner().invoke(app, ["images", "pin", "-i", str(path), "--registry-address", address])
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert load(path).images.digests == dict.fromkeys(IMAGES, DIGEST)
    assert before.count("#") == after.count("#")
    assert first.output.count("new") == len(IMAGES)
    assert again.output.count("as before") == len(IMAGES)
    assert path.read_text() == after
    assert max(len(line.replace(str(tmp_path), "")) for line in first.output.splitlines()) <= 80


def test_a_missing_image_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    with running(Behaviour()) as address:
        path = inventory(tmp_path, f"registry: {address}")
        before = path.read_bytes()
        result = CliRunner().invoke(app, ["images", "pin", "-i", str(path)])
    assert isinstance(result.exception, StepFailedError)
    assert path.read_bytes() == before


def test_a_bad_inventory_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    behaviour = Behaviour()
    with running(behaviour) as address:
        path = inventory(tmp_path, f"registry: {address}\n  regstry: x")
        result = CliRunner().invoke(app, ["images", "pin", "-i", str(path)])
    assert isinstance(result.exception, InputError)
    assert behaviour.asked == []
