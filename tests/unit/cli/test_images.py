"""`images pin` against a registry on loopback."""

from __future__ import annotations

import re
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


@pytest.mark.thorough
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


STALE = """digests:
    temporalio/server:1.31.1: sha256:{one} # of the version before
    # the database
    postgres:16: sha256:{one}
    postgres:17: sha256:{one}
""".format(one="0a" * 32)


@pytest.mark.parametrize(
    "digests",
    [
        STALE,
        f"digests: {{'postgres:16': 'sha256:{'0a' * 32}'}}",
        f"digests: {{'postgres:16': 'sha256:{'0a' * 32}', 'postgres:17': 'sha256:{'0a' * 32}'}}",
        f"digests: {{'postgres:17': 'sha256:{'0a' * 32}', 'postgres:16': 'sha256:{'0a' * 32}' }} # ours",
        f"digests: # ours\n    postgres:16: sha256:{'0a' * 32}",
    ],
    ids=["block", "braces, all", "braces, first", "braces, last", "block, all"],
)
def test_digests_of_images_that_are_not_run_are_an_error_that_pin_mends(digests: str, tmp_path: Path) -> None:
    with running(Behaviour(images=IMAGES)) as address:
        path = inventory(tmp_path, f"registry: {address}\n  {digests}")
        path.write_text(re.sub(r"  digests: {} #.*\n", "", path.read_text()))
        with pytest.raises(InputError, match=r"oslo.yaml:\d+:\d+: .*postgres:16.*`tempo-infra images pin`"):
            load(path)
        result = CliRunner().invoke(app, ["images", "pin", "-i", str(path)])
    assert result.exit_code == 0, result.exception
    assert load(path).images.digests == dict.fromkeys(IMAGES, DIGEST)
    assert "postgres:16" not in path.read_text()
    assert re.search(r"postgres:16 +not run any more +taken out", result.output)


def test_what_else_is_wrong_is_said_at_its_own_line(tmp_path: Path) -> None:
    path = inventory(tmp_path, f"registry: r.example\n  digests: {{'postgres:16': 'sha256:{'0a' * 32}'}}")
    path.write_text(path.read_text().replace("  digests: {} #", "  #").replace("shards: 512", "shards: 500"))
    with pytest.raises(InputError) as plain:
        load(path)
    result = CliRunner().invoke(app, ["images", "pin", "-i", str(path)])
    assert str(result.exception) == str(plain.value)
    assert "2 errors" in str(plain.value)


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
