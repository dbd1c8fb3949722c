"""A copy of the package that has one component more: its folder, and its line in the list."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests/data/component/echo"
BEFORE = '    "admin_tools",\n'  # jobs come last
RUN = "from tempo_infra.cli.main import program; program()"


def copied(root: Path) -> Path:
    """Copy the package and its templates below `root`, put the component in, and return `root`."""
    for name in ("tempo_infra", "templates"):
        shutil.copytree(
            ROOT / name, root / name
        )  # what is compiled, too, which the times of the files keep valid
    shutil.copytree(FOLDER, root / "tempo_infra/components/echo")
    table = root / "tempo_infra/components/table.py"
    text = table.read_text()
    assert text.count(BEFORE) == 1
    table.write_text(text.replace(BEFORE, f'    "echo",\n{BEFORE}'))
    return root
