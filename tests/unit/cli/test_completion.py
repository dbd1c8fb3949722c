"""What the shell offers, asked as a shell asks: names of hosts, checks and classes, and never a word more."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tempo_infra.cli import completion
from tempo_infra.cli.main import app

TRIO = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
TEMPO_INFRA = "import sys; sys.argv[0] = 'tempo-infra'; from tempo_infra.cli.main import run; run()"


def environment(words: Sequence[str]) -> dict[str, str]:
    """What bash tells a program when the key behind the last word is pressed."""
    return {
        "_TEMPO_INFRA_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("tempo-infra", *words)),
        "COMP_CWORD": str(len(words)),
    }


def offered(folder: Path, *words: str) -> list[str]:
    """Press the key; nothing may be said beside the offers."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, [], env=environment(words), prog_name="tempo-infra")
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.split()


def offered_by_the_program(folder: Path, *words: str) -> list[str]:
    """The same by a process of its own, which takes half a second to start."""
    done = subprocess.run(
        [sys.executable, "-c", TEMPO_INFRA],
        cwd=folder,
        env={**os.environ, **environment(words)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        (["maintain", "-i", str(TRIO), ""], ["front-1", "history-1", "db-1"]),
        (["maintain", "-i", str(TRIO), "d"], ["db-1"]),
        (["plan", f"--inventory={TRIO}", "--host", "f"], ["front-1"]),
        (["trust", "-i", str(TRIO), "h"], ["history-1"]),
        (["explain", "-i", str(TRIO), "db"], ["db-1"]),
        (["check-host", "-i", str(TRIO), "--host", "x"], []),
        (["check-host", "--class", "H"], ["High-RAM"]),
        (["check-host", "--only", "disk.f"], ["disk.fsync", "disk.flush"]),
        (["check-host", "--skip", "clo"], ["clock", "clock.sync", "clock.skew", "clock.source"]),
        (["checks", "show", "temporal.m"], ["temporal.members"]),
        (["secrets", "rek"], ["rekey"]),
        (["roll"], ["rollback"]),
    ],
)
def test_names_are_offered(words: list[str], offers: list[str], tmp_path: Path) -> None:
    assert offered(tmp_path, *words) == offers


@pytest.mark.parametrize(
    "words", [["maintain", "-i", str(TRIO), ""], ["roll"], ["check-host", "--only", "disk.f"]]
)
def test_the_program_offers_the_same(words: list[str], tmp_path: Path) -> None:
    assert offered_by_the_program(tmp_path, *words) == offered(tmp_path, *words) != []


def test_the_usual_inventory_is_read_where_none_was_given(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(TRIO.read_text())
    assert offered(tmp_path, "maintain", "") == ["front-1", "history-1", "db-1"]


def test_an_inventory_with_an_error_in_it_still_names_its_hosts_and_classes(tmp_path: Path) -> None:
    text = TRIO.read_text().replace("shards: 512", "shards: 500") + "\nclasses: {Own-Class: {purpose: 7}}\n"
    (tmp_path / "inventory.yaml").write_text(text)
    assert offered(tmp_path, "rollback", "--host", "db") == ["db-1"]
    assert offered(tmp_path, "check-host", "-i", "inventory.yaml", "--class", "O") == ["Own-Class"]


HOSTILE = (
    *("$(id>ran)", r"\$(id>ran)", "`id>ran`", "a;id", "a b", "a&b", "a>b", "a'b", 'a"b', "a\\b", "a\nb"),
    *("a:b", "a[b", "a*", "~a", "=ls", "a!b", "a#b", "{a,b}", "--run=id", "\u00e9", "\uff41", "", "a\u200bb"),
)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("hosts", ["maintain", "-i", "hostile.yaml", ""]),
        ("hosts", ["check-host", "-i", "hostile.yaml", "--host", ""]),
        ("classes", ["check-host", "-i", "hostile.yaml", "--class", ""]),
    ],
)
def test_nothing_is_offered_that_a_shell_would_take_for_more_than_a_name(
    section: str, words: list[str], tmp_path: Path
) -> None:
    names: dict[str, object] = {name: {} for name in (*HOSTILE, "fine-1")}
    (tmp_path / "hostile.yaml").write_text(json.dumps({section: names}))
    offers = offered(tmp_path, *words)
    assert "fine-1" in offers
    assert [one for one in offers if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._-]*", one)] == []
    if section == "hosts":
        assert offers == ["fine-1"]


def test_names_of_checks_are_held_to_the_same_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = [SimpleNamespace(id=name) for name in (*HOSTILE, "fine.one")]
    monkeypatch.setattr("tempo_infra.checks.catalogue.CHECKS", hostile)
    assert completion.check_ids("") == ["fine", "fine.one"]


def test_what_is_no_inventory_offers_nothing_and_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "half.yaml").write_text("hosts: {front-1: [")
    (tmp_path / "hostile.yaml").write_text("hosts: {'$(reboot)': {}, '\\e[31mred': {}, fine-1: {}}")
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "large.yaml").write_text(
        "hosts:\n" + "".join(f"  h{number}: {{}}\n" for number in range(5000))
    )
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, offers in (
        ("half.yaml", []),
        ("hostile.yaml", ["fine-1"]),
        ("binary.yaml", []),
        ("missing.yaml", []),
        ("pipe.yaml", []),
        (".", []),
    ):
        assert offered(tmp_path, "maintain", "-i", name, "") == offers, name
    assert len(offered(tmp_path, "maintain", "-i", "large.yaml", "")) == 200
