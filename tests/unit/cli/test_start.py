"""What the command costs before it does anything."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"paramiko", "jinja2", "pydantic", "temporalio", "psutil", "yaml", "pyrage"}
MOST_OF_TYPER = 1.5  # what the start may cost of CPU, where importing typer alone costs 1


def _cpu_seconds(code: str) -> float:
    """The least CPU time of several runs, so that a busy machine does not decide."""
    program = f"import time\n{code}\nprint(time.process_time())"
    runs = [float(subprocess.check_output([sys.executable, "-c", program]).split()[-1]) for _ in range(7)]
    return min(runs)


def test_printing_the_version_imports_nothing_heavy() -> None:
    code = (
        "import json, sys\nfrom tempo_infra.cli.main import app\n"
        "try:\n    app(['--version'])\nexcept SystemExit:\n    pass\nprint(json.dumps(sorted(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert out[0].startswith("tempo-infra ")
    assert HEAVY.isdisjoint(json.loads(out[1]))


@pytest.mark.thorough
def test_the_start_costs_little_more_than_typer_itself() -> None:
    ours = _cpu_seconds("import tempo_infra.cli.main")
    typer = _cpu_seconds("import typer, typer.main")
    assert ours <= typer * MOST_OF_TYPER, (ours, typer)


def test_the_collector_is_not_told_to_look_through_everything_at_the_end() -> None:
    code = (
        "import atexit, gc\nfrom tempo_infra.cli.collector import spare\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\nspare()\nprint(gc.isenabled())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["True", "True"]


@pytest.mark.parametrize(("sdk", "after"), [("temporalio", ""), ("none", "taken apart\n")])
def test_beside_the_sdks_threads_the_interpreter_is_not_taken_apart(sdk: str, after: str) -> None:
    """They abort a program that has said everything: it would end with a signal instead of its exit code."""
    code = (
        "import atexit, sys, types, typer\nfrom tempo_infra.cli import main\n"
        f"sys.modules[{sdk!r}] = types.ModuleType({sdk!r})\n"
        "atexit.register(lambda: print('taken apart'))\nmain.app = app = typer.Typer()\n"
        "@app.command()\ndef ends() -> None:\n    print('said')\n    raise typer.Exit(3)\n"
        "sys.argv = ['tempo-infra']\nmain.program()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, f"said\n{after}")
