"""The lab's registry tells the digests that its hosts then run."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.inventory import load
from tempo_infra.inventory.scaffold import example

LAB = Path(__file__).parents[2] / ".lab"
REGISTRY = "127.0.1.10:5000"  # where registry.lab:5000 is published on this machine


@pytest.mark.lab
def test_the_lab_inventory_is_pinned_from_the_lab_registry(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(example("lab.yaml").read_text("utf-8"))
    words = [
        "images",
        "pin",
        "-i",
        str(path),
        "--ca-file",
        str(LAB / "ca.crt"),
        "--registry-address",
        REGISTRY,
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.exception
    found = load(path)
    assert set(found.images.digests) == set(found.image_names)
    assert all(found.images.reference(name).startswith("registry.lab:5000/") for name in found.image_names)
    again = CliRunner().invoke(app, words)
    assert again.output.count("as before") == len(found.image_names)
