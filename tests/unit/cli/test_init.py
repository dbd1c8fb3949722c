"""`init`: by options, by questions, and what it refuses."""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError
from tempo_infra.inventory import load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SAID = ["--cluster=bergen", "--provider=Nord Sky", "--user=kari"]
TRIO = [
    "--host=front-1=203.0.113.11,10.0.0.11",
    "--host=history-1=203.0.113.12,10.0.0.12",
    "--host=db-1=203.0.113.13,10.0.0.13",
]


def test_by_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["init", "trio", *SAID, *TRIO])
    assert result.exit_code == 0, result.exception
    found = load(tmp_path / "inventory" / "bergen.yaml")
    assert (found.name, [host.internal for host in found.hosts]) == (
        "bergen",
        ["10.0.0.11", "10.0.0.12", "10.0.0.13"],
    )
    assert (found.provider, found.hosts[0].ssh.user) == ("Nord Sky", "kari")
    assert "without questions" not in result.output
    assert "tempo-infra trust -i inventory/bergen.yaml" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


@pytest.mark.thorough
def test_shards_follow_a_goal(tmp_path: Path) -> None:
    """They can't be changed later, so they are for the peaks of several times the goal."""
    found = {}
    for goal in (5, 60, 300):
        path = tmp_path / f"{goal}.yaml"
        result = CliRunner().invoke(
            app, ["init", f"--workflows-per-second={goal}", *SAID, *TRIO, "-o", str(path)]
        )
        assert result.exit_code == 0, result.exception
        found[goal] = load(path).temporal.shards
        assert f"shards: {found[goal]} for {goal} workflows/s" in result.output
    assert found == {5: 64, 60: 128, 300: 1024}


def test_where_nobody_can_be_asked_it_names_the_missing_options(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", "trio", *SAID, TRIO[0], "-o", str(tmp_path / "a.yaml")])
    assert str(result.exception) == (
        "addresses of history-1, db-1 are missing; add\n"
        "  --host history-1=SSH-ADDRESS,INTERNAL-ADDRESS\n"
        "  --host db-1=SSH-ADDRESS,INTERNAL-ADDRESS"
    )
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "a.yaml").exists()


def test_nothing_is_made_up_where_nobody_can_be_asked(tmp_path: Path) -> None:
    """No name of a cluster, of a provider, of a user that somebody would take for his."""
    result = CliRunner().invoke(app, ["init", "trio", "--user=kari", *TRIO, "-o", str(tmp_path / "a.yaml")])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        "the cluster's name, who rents the hosts out (the provider) are missing; add\n"
        "  --cluster NAME\n  --provider NAME"
    )
    wrong = CliRunner().invoke(app, ["init", "trio", *SAID[:2], "--user=a b", *TRIO])
    assert str(wrong.exception).startswith("--user: not a user name")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("mine")
    command = ["init", "trio", *SAID, *TRIO, "-o", str(path)]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, InputError)
    assert path.read_text() == "mine"
    assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0
    assert load(path).hosts


def test_addresses_that_can_not_be_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    wrong = [*TRIO[:2], "--host=db-1=203.0.113.13,127.0.0.1"]
    result = CliRunner().invoke(app, ["init", "trio", *SAID, *wrong, "-o", str(tmp_path / "a.yaml")])
    assert "--host db-1: 127.0.0.1 is a loopback address" in str(result.exception)
    assert not list(tmp_path.iterdir())


def answered(folder: Path, argv: list[str], answers: list[str]) -> str:
    """Run the command on a terminal, type an answer after each question, and return what it showed."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", "from tempo_infra.cli.main import run; run()", *argv]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment
    ) as process:
        os.close(theirs)
        shown, until = b"", time.monotonic() + 30
        while time.monotonic() < until and (process.poll() is None or select.select([ours], [], [], 0)[0]):
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 4096)
                except OSError:  # the other side is closed
                    break
            if answers and shown.endswith(b": "):
                os.write(ours, answers.pop(0).encode() + b"\n")
                shown += b"\n"
        process.kill()
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.thorough
def test_by_questions_and_again_by_the_command_it_prints(tmp_path: Path) -> None:
    argv = ["init", "single", "--provider", "Nord Sky"]
    answers = ["Oslo", "tromso", "root user", "kari", "root@a", "203.0.113.10", "10.0.0.256", "10.0.0.10"]
    shown = answered(tmp_path, argv, answers)
    path = tmp_path / "inventory" / "tromso.yaml"
    found = load(path)
    assert (found.name, found.provider, found.hosts[0].ssh.user) == ("tromso", "Nord Sky", "kari")
    assert '"Oslo" is not a name' in shown
    assert "not a user name" in shown
    assert "an address without the user" in shown
    assert '"10.0.0.256" is not an IP address' in shown
    by_questions = path.read_text()
    assert "203.0.113.10" in by_questions
    _, _, rest = shown.partition("The same without questions:\n")
    command, _, _ = rest.partition("\n\n")
    assert command.startswith("  tempo-infra init single")
    path.unlink()
    run = shlex.join([sys.executable, "-c", "from tempo_infra.cli.main import run; run()"])
    again = subprocess.run(
        ["sh", "-ec", command.replace("tempo-infra", run, 1)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert b"wrote inventory/tromso.yaml" in again.stdout
    assert path.read_text() == by_questions
