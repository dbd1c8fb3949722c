"""The example inventories' files, byte for byte, and the same on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.render.tree import contents
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = sorted((Path(__file__).parents[3] / "inventory").glob("*.yaml"))
DIGESTS = """
import sys
from pathlib import Path
from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.sizing import size
for path in sys.argv[1:]:
    cluster = load(Path(path))
    for bundle in render(cluster, size(cluster)):
        print(bundle.host, bundle.digest)
"""


def files_of(path: Path) -> dict[str, bytes]:
    cluster = load(path)
    return {
        f"{bundle.host}/{name}": content
        for bundle in render(cluster, size(cluster))
        for name, content in contents(bundle).items()
    }


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"single", "oslo-trio", "lab"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_render_as_stored(path: Path, golden: Callable[[str, dict[str, bytes]], None]) -> None:
    golden(path.stem, files_of(path))


@pytest.mark.thorough
def test_the_same_bytes_whatever_the_machine() -> None:
    """Locale, time zone, hash seed and current folder say nothing to a pure function."""

    def digests(folder: Path, **environment: str) -> str:
        command = [sys.executable, "-c", DIGESTS, *map(str, EXAMPLES)]
        env = {**os.environ, **environment}
        return subprocess.run(command, env=env, cwd=folder, capture_output=True, check=True, text=True).stdout

    one = digests(Path("/"), LC_ALL="C", TZ="UTC", PYTHONHASHSEED="1", HOME="/nonexistent")
    other = digests(
        Path(__file__).parent, LC_ALL="C.UTF-8", TZ="Pacific/Auckland", PYTHONHASHSEED="2", LANG="nb_NO"
    )
    assert one == other
    assert one.count("\n") == 7
