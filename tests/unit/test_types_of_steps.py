"""A step is one type for both sides: what changes in it is seen on each of them before anything runs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from tempo_infra.on_host.serve import HANDLERS
from tempo_infra.on_host.steps.step import GRANTED

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "tempo_infra" / "on_host" / "steps"


def changed(source: str) -> str:
    """Give every field of every step another name, and every step one field more."""
    lines = source.splitlines()
    for kind in ast.parse(source).body:
        if isinstance(kind, ast.ClassDef):
            for one in kind.body:
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                    name = one.target.id
                    lines[one.lineno - 1] = lines[one.lineno - 1].replace(name, f"{name}_", 1)
            words = kind.body[0]
            lines[(words.end_lineno or words.lineno) - 1] += "\n    added: int = field(kw_only=True)"
    text = "\n".join(lines)
    return text.replace("import dataclass\n", "import dataclass, field\n")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the type checker says of both sides when the steps are other ones."""
    folder = tmp_path_factory.mktemp("steps")
    shadows = []
    for module in ("change", "reading", "upkeep"):
        shadow = folder / f"{module}.py"
        shadow.write_text(changed((STEPS / f"{module}.py").read_text()))
        shadows += ["--shadow-file", str(STEPS / f"{module}.py"), str(shadow)]
    words = ["--no-incremental", "--no-error-summary", "--cache-dir", str(folder), *shadows]
    sides = ["tempo_infra/deploy", "tempo_infra/on_host"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, *sides],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr
    return done.stdout


def lines(said: str, start: str, pattern: str) -> set[tuple[str, ...]]:
    return {
        found.groups()
        for line in said.splitlines()
        if line.startswith(start) and (found := re.search(pattern, line))
    }


def test_a_renamed_field_is_seen_where_a_host_reads_it(said: str) -> None:
    """But for those that only make a step's longest time longer."""
    seen = lines(said, "tempo_infra/on_host/", r'"(\w+)" has no attribute "(\w+)"')
    read = {
        (kind.__name__, one.name)
        for kind in HANDLERS
        for one in fields(kind)
        if one.name not in ("payload", *GRANTED)
    }
    assert read - seen == set()


def test_a_renamed_field_is_seen_where_an_operator_names_it(said: str) -> None:
    named = lines(said, "tempo_infra/deploy/", r'Unexpected keyword argument "(\w+)" for "(\w+)"')
    assert {("take_over", "Arm"), ("subnets", "Preflight"), ("contents", "State")} <= named


def test_a_field_that_is_new_is_missed_wherever_a_step_is_made(said: str) -> None:
    made = lines(said, "tempo_infra/deploy/", r'(?:for|to) "(\w+)".*\[call-arg\]')
    assert made == {(kind.__name__,) for kind in HANDLERS}
