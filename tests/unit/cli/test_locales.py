"""Output and input are UTF-8 wherever the command runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
SHOW = [sys.executable, "-c", "from tempo_infra.cli.main import run; run()", "inventory", "show", "-i"]


@pytest.mark.parametrize("locale", ["C", "POSIX", ""])
@pytest.mark.parametrize("coerced", ["1", "0"])
def test_a_poor_locale_changes_no_byte_of_a_name(tmp_path: Path, locale: str, coerced: str) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "LC_ALL": locale,
        "PYTHONCOERCECLOCALE": coerced,
        "PYTHONUTF8": "0",
    }

    def show(name: str, text: str) -> subprocess.CompletedProcess[bytes]:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return subprocess.run([*SHOW, str(path)], capture_output=True, check=False, env=environ, timeout=60)

    text = EXAMPLE.read_text("utf-8")
    done = show("blåbær.yaml", text.replace("cluster: oslo", "cluster: oslo # ære være 中"))
    assert done.returncode == 0, done.stderr
    refused = show("blåbær-2.yaml", "cluster: æøå: 1\n")
    assert refused.returncode == 2
    assert "blåbær-2.yaml:1:".encode() in refused.stderr
    misspelt = show("tre.yaml", text.replace("roles:", "rølle:", 1))
    assert "rølle".encode() in misspelt.stderr
