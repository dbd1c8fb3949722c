"""A host whose python3 is somebody else's: check-host says one line, keeps its memory, harms no terminal."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tests.lab import hostile_program
from tests.lab.conftest import COMMAND, Inventory

STAND_IN = "/usr/local/sbin/python3"  # sudo looks here first
FOLDER = "/root/hostile"
MOST_BYTES = 200 * 1024**2
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FORMATS = {
    "text": "r.txt",
    "json": "r.json",
    "junit": "r.xml",
    "sarif": "r.sarif",
    "markdown": "r.md",
    "html": "r.html",
    "prometheus": "r.prom",
}


@dataclass(frozen=True)
class Run:
    code: int
    out: bytes
    err: bytes
    peak_bytes: int
    seconds: float


@pytest.fixture
def host(lab: Lab, inventory: Inventory) -> Host:
    return lab.host(load(inventory.path).hosts[0].name)


@contextmanager
def hostile(host: Host, kind: str, facts: str = "{}") -> Iterator[None]:
    """Put another program in python3's place; the host's own stays where it is."""
    source = Path(hostile_program.__file__).read_text()
    host.must(["mkdir", "-p", FOLDER])
    for name, text in (("hostile_program.py", source), ("hostile-facts.json", facts)):
        host.must(["sh", "-c", f"cat > {FOLDER}/{name}"], input=text)
    start = f'#!/bin/sh\nexec /usr/bin/python3 {FOLDER}/hostile_program.py {shlex.quote(kind)} "$@"\n'
    host.must(["sh", "-c", f"cat > {STAND_IN} && chmod 755 {STAND_IN}"], input=start)
    try:
        yield
    finally:
        host.must(["rm", "-rf", STAND_IN, FOLDER])


def check(inventory: Inventory, host: Host, folder: Path) -> Run:
    """Run check-host with all formats at once, and watch its memory."""
    outputs = [word for name in FORMATS.values() for word in ("--output", str(folder / name))]
    words: list[str | Path] = [
        COMMAND,
        "check-host",
        "-i",
        inventory.path,
        "--host",
        host.name,
        "--quick",
        *outputs,
    ]
    begun, peak = time.monotonic(), 0
    said = folder / "stdout", folder / "stderr"
    with (
        said[0].open("wb") as out,
        said[1].open("wb") as err,
        subprocess.Popen(words, stdout=out, stderr=err, env={**os.environ, "COLUMNS": "80"}) as process,
    ):
        while process.poll() is None and time.monotonic() < begun + 120:
            peak = max(peak, high_water(process.pid))
            time.sleep(0.02)
        process.kill()
    told = [path.read_bytes() for path in said]
    return Run(process.wait(), told[0], told[1], peak, time.monotonic() - begun)


def high_water(pid: int) -> int:
    """The most memory that a process had so far, by the kernel's own count."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def no_controls(run: Run, folder: Path) -> None:
    texts = {"stdout": run.out, "stderr": run.err}
    texts |= {name: (folder / name).read_bytes() for name in FORMATS.values()}
    for name, text in texts.items():
        found = CONTROLS.search(text.decode())
        assert found is None, f"{name}: {text[max(0, found.start() - 40) : found.start() + 40]!r}"


@pytest.mark.parametrize("kind", sorted(set(hostile_program.KINDS) - {"lies"}))
def test_a_host_that_gives_no_answer_is_one_line(
    inventory: Inventory, host: Host, tmp_path: Path, kind: str
) -> None:
    with hostile(host, kind):
        run = check(inventory, host, tmp_path)
    assert run.code == 3, run.out[-2000:] + run.err[-2000:]
    assert run.peak_bytes < MOST_BYTES
    assert run.err == b""
    lines = [line for line in run.out.decode().splitlines() if line.strip()]
    assert lines[0].startswith(host.name)
    assert lines[-1] == "1 unknown · 0 passed   exit 3"
    assert sum(line.lstrip().startswith("?") for line in lines) == 1
    assert len(lines) < 12
    [told] = json.loads((tmp_path / "r.json").read_bytes())["hosts"]
    assert told["error"]
    assert "\n" not in told["error"]
    no_controls(run, tmp_path)


def harmful(value: Any, depth: int = 0) -> Any:
    """The same facts with each text and number made to do harm; their shape is as it was."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>|`x`\n\u202e\x00" + value
    if isinstance(value, int):
        return 10**18 if depth > 1 else value
    if isinstance(value, float):
        return 1e18
    if isinstance(value, list):
        return [harmful(one, depth + 1) for one in value] * 2  # within what is taken of facts
    return {key: harmful(one, depth + 1) for key, one in value.items()}


def test_facts_that_lie_are_a_report_like_any_other(inventory: Inventory, host: Host, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    inventory.run("check-host", "--host", host.name, "--quick", "--save-facts", str(kept))
    facts = json.loads(kept.read_text())["hosts"][host.name]
    lies = {**harmful(facts), "schema": facts["schema"], "options": facts["options"]}
    with hostile(host, "lies", json.dumps(lies)):
        run = check(inventory, host, tmp_path)
    assert run.code in (1, 3), run.out[-2000:] + run.err[-2000:]
    assert b"Traceback" not in run.err
    assert run.peak_bytes < MOST_BYTES
    no_controls(run, tmp_path)
    page = (tmp_path / "r.html").read_text()
    assert "<script" not in page
    assert "&lt;script" in page
    json.loads((tmp_path / "r.sarif").read_text())
    assert len(run.out) < 2_000_000
