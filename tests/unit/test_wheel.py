"""The wheel holds all that rendering needs: by itself, it renders its examples outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import tempo_infra
from tempo_infra.cli.main import run
package = Path(tempo_infra.__file__).parent
assert package.is_relative_to(sys.prefix), package
sys.argv = ["tempo-infra", "render", "-i", str(package / "examples" / "oslo-trio.yaml"), "-o", "out"]
run()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_templates_and_examples_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {
        f"tempo_infra/templates/{path.relative_to(ROOT / 'templates').as_posix()}"
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
    }
    assert templates <= names
    assert {f"tempo_infra/examples/{name}.yaml" for name in ("single", "oslo-trio", "lab")} <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tempo_infra"}


def test_it_renders_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """In a new environment that borrows our dependencies, but not the checkout installed beside them."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    scheme = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    zipfile.ZipFile(wheel).extractall(packages)
    borrowed = sysconfig.get_path("purelib")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), borrowed])}
    python = home / "bin" / "python"
    done = subprocess.run(
        [python, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["front-1", "history-1", "db-1"]
    golden = ROOT / "tests" / "unit" / "golden" / "oslo-trio"
    assert tree(tmp_path / "out") == tree(golden)


def tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
