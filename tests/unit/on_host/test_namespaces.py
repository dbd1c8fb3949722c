"""Namespaces on a frontend host: each one's outcome is said, and none that failed passes for done."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tempo_infra.on_host import namespaces
from tempo_infra.on_host.containers import Job
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.namespaces import SCRIPT, Namespaces
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change

# Keeps each namespace's retention in a file of its folder. One called cursed can't be set, of one called deaf
# the retention stays; while there is a file `away` nothing answers. It reads its input to the end, as some
# programs do.
TEMPORAL = """#!/bin/sh
cat >/dev/null
for last; do :; done
name=$5
if [ -e away ]; then echo "Error: connection refused" >&2; exit 1; fi
case $3 in
describe)
  [ -f "is-$name" ] || { echo "Error: Namespace $name is not found." >&2; exit 1; }
  printf '{ "config": { "workflowExecutionRetentionTtl": "%ss" } }\\n' "$(cat "is-$name")";;
create|update)
  case $name in
  cursed) printf 'Error: unable to %s: A valid retention\\nis not set.\\n' "$3" >&2; exit 1;;
  deaf) echo 3600 >"is-$name";;
  *) echo $(( ${last%h} * 3600 )) >"is-$name";;
  esac
  echo "Namespace $name set."
esac
"""
SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]


@pytest.fixture
def temporal(tmp_path: Path) -> Path:
    """A folder with a `temporal` that remembers namespaces there."""
    program = tmp_path / "bin/temporal"
    program.parent.mkdir()
    program.write_text(TEMPORAL.replace("cat >/dev/null", f"cat >/dev/null; cd {tmp_path}", 1))
    program.chmod(0o755)
    return tmp_path


def said(folder: Path, lines: str, shell: str = SHELLS[0]) -> list[str]:
    done = subprocess.run(
        [shell, "-c", SCRIPT],
        input=lines,
        text=True,
        capture_output=True,
        check=True,
        env={"PATH": f"{folder}/bin:{os.environ['PATH']}", "TMPDIR": str(folder)},
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("audit 72\nbilling 24\n", ["created audit", "created billing"]),
        ("old 72\n", ["updated old"]),
        ("old 24\n", ["kept old"]),
        (
            "cursed 72\nbilling 24\n",
            [
                "failed cursed: Error: unable to create: A valid retention is not set. ",
                "created billing",
            ],
        ),
        (
            "billing 24\ncursed 72\n",
            ["created billing", "failed cursed: Error: unable to create: A valid retention is not set. "],
        ),
        ("deaf 72\n", ["failed deaf: it keeps another retention"]),
        ("done 24\nesac 48\nif 72\n", ["created done", "created esac", "created if"]),
    ],
)
def test_the_outcome_of_each_is_said(temporal: Path, shell: str, lines: str, says: list[str]) -> None:
    (temporal / "is-old").write_text(f"{24 * 3600}")
    assert said(temporal, lines, shell) == says


def test_a_server_that_is_away_is_no_reason_to_make_anything(temporal: Path) -> None:
    (temporal / "away").touch()
    assert said(temporal, "audit 72\n") == ["failed audit: Error: connection refused "]
    assert not (temporal / "is-audit").exists()


@pytest.fixture
def cluster(temporal: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The step's own container is a shell here; its clock ticks ten seconds at every look."""

    def job(_: Layout, args: Job, stdin: bytes) -> dict[str, str]:
        assert args.command == ["timeout", "-k", "5", "170", "sh", "-c", SCRIPT]
        assert float(args.command[3]) + float(args.command[2]) < args.deadline_s
        return {"out": "".join(f"{line}\n" for line in said(temporal, stdin.decode()))}

    ticks = itertools.count(step=10.0)
    monkeypatch.setattr(namespaces, "job", job)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("time.sleep", lambda _: None)
    return temporal


def made(hours: dict[str, int]) -> Namespaces:
    return namespaces.namespaces(Layout(Path("/")), change.Namespaces(hours))


def test_what_was_done_is_said_and_what_was_right_is_not(cluster: Path) -> None:
    (cluster / "is-old").write_text(f"{24 * 3600}")
    (cluster / "is-long").write_text(f"{24 * 3600}")
    done = made({"old": 24, "long": 240, "billing": 72})
    assert done.done == {"old": "kept", "long": "updated", "billing": "created"}
    assert done.say == "created billing, updated long"


def test_none_wanted_starts_no_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "job", pytest.fail)
    assert made({}) == Namespaces({}, "")


@pytest.mark.parametrize("hours", [{"audit": 72, "cursed": 72}, {"cursed": 72, "ox": 72}])
def test_one_that_fails_fails_the_step_and_both_outcomes_are_said(
    cluster: Path, hours: dict[str, int]
) -> None:
    """Wherever in the list it stands."""
    with pytest.raises(StepError) as caught:
        made(hours)
    good = next(iter(hours.keys() - {"cursed"}))
    assert str(caught.value) == (
        f"cursed: Error: unable to create: A valid retention is not set.; created {good}"
    )
    assert "tries the others again" in caught.value.remedy


def test_one_that_fails_at_first_is_tried_again(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cluster / "away").touch()
    monkeypatch.setattr("time.sleep", lambda _: (cluster / "away").unlink(missing_ok=True))
    assert made({"audit": 72}).done == {"audit": "created"}


@pytest.mark.parametrize("out", ["", "created other\n", "made audit\n", "created\n"])
def test_one_of_which_nothing_is_said_is_not_done(
    cluster: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    del cluster
    monkeypatch.setattr(namespaces, "job", lambda *_: {"out": out})
    with pytest.raises(StepError, match="audit: nothing was said of it"):
        made({"audit": 72})


def test_a_container_that_does_not_start_is_said(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del cluster

    def job(*_: object) -> dict[str, str]:
        raise StepError("job admin-tools: no such image")

    monkeypatch.setattr(namespaces, "job", job)
    with pytest.raises(StepError, match="audit: job admin-tools: no such image"):
        made({"audit": 72})
