"""Facts of this machine, for real: complete, as JSON, with reasons for what is left out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

from tempo_infra.checks import read_facts
from tempo_infra.on_host import processes
from tempo_infra.on_host.facts import Facts, FactsOptions, collect

NO_READINGS = ("seconds_by_part", "peak_bytes")
ROOT = Path(__file__).parents[3]


def test_a_quick_run_reads_all_and_loads_nothing(tmp_path: Path) -> None:
    begun = time.monotonic()
    facts = collect(FactsOptions(str(tmp_path / "later"), quick=True, tool_version="0.1.0"))
    assert time.monotonic() - begun < 20
    assert facts.fsync.unread == "left out by --quick"
    assert facts.cpu.value is not None
    assert facts.cpu.value.steal_loaded.not_wanted
    assert facts.disk.value is not None
    assert (facts.disk.value.wanted, facts.disk.value.measured) == (f"{tmp_path}/later", str(tmp_path))
    assert facts.kernel.value is not None
    assert facts.kernel.value.release.value
    assert list(tmp_path.iterdir()) == []
    assert read_facts(json.dumps(facts.to_json())) == facts


def test_every_part_of_the_facts_is_read() -> None:
    facts = collect(FactsOptions(quick=True))
    parts = [field.name for field in fields(Facts)][5:]
    readings = {part: getattr(facts, part) for part in parts if part not in NO_READINGS}
    assert len(readings) == len(parts) - len(NO_READINGS)
    assert facts.peak_bytes > 1024**2
    assert set(facts.seconds_by_part) == set(readings) - {"link"}
    for part, reading in readings.items():
        assert (reading.value is not None) != bool(reading.unread), part


def test_a_login_outside_ssh_is_this_process() -> None:
    import os

    table = processes.read()
    assert os.getpid() in {process.pid for process in table}


def test_nothing_of_others_is_imported() -> None:
    """What is sent to hosts runs on a bare Python: no site-packages at all."""
    code = (
        "import sys; sys.path.insert(0, '.'); from tempo_infra.on_host.facts import *; "
        "print(collect(FactsOptions(quick=True)).schema)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("3", "")
