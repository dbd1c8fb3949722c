from __future__ import annotations

import errno
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import leftovers, mounts, undo
from tempo_infra.on_host.garbage import KEEP, sweep
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tests.unit.on_host.test_undo import ARMED

NAMES = [f"{number:02}" for number in range(9)]


def host(root: Path) -> Layout:
    """Nine confirmed generations, each with a service folder of its own, and generation 0."""
    layout = Layout(root)
    for name in NAMES:
        (layout.services / f"history-{name}").mkdir(parents=True)
        (layout.generations / name).mkdir(parents=True)
        manifest: dict[str, dict[str, dict[str, str]]] = {
            "files": {
                f"services/history-{name}/server.yaml": {"sha256": ""},
                "docker-compose.yml": {"sha256": ""},
            }
        }
        (layout.generations / name / "manifest.json").write_text(json.dumps(manifest))
        record(layout, Entry(name, "confirm", "confirmed", name))
    (layout.generations / "0").mkdir()
    (layout.runs / "08/before").mkdir(parents=True)
    (layout.state / "program-aa.zip").write_text("")
    layout.current.symlink_to(f"generations/{NAMES[-1]}")
    return layout


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_confirmed_generations_and_the_zeroth_are_kept(tmp_path: Path) -> None:
    layout = host(tmp_path)
    (layout.runs / "08.json").write_text("{}")
    (layout.runs / ".08.json.00ff00ff00ff").write_text("{")  # cut off while it was written
    sweep(layout, set())
    assert left(layout.generations) == ["0", *NAMES[-KEEP:]]
    assert left(layout.services) == [f"history-{name}" for name in NAMES[-KEEP:]]
    assert left(layout.runs) == ["08.json"]
    assert list(layout.state.glob("program-*")) == []


def test_what_a_container_reads_is_never_taken_away(tmp_path: Path) -> None:
    layout = host(tmp_path)
    sweep(layout, {"/var/lib/tempo-infra/services/history-01", "/srv/tempo/postgres"})
    assert "history-01" in left(layout.services)
    assert "history-02" not in left(layout.services)


def test_the_current_generation_is_kept_however_old(tmp_path: Path) -> None:
    layout = host(tmp_path)
    layout.current.unlink()
    layout.current.symlink_to("generations/02")
    sweep(layout, set())
    assert "02" in left(layout.generations)
    assert "history-02" in left(layout.services)


@pytest.mark.parametrize("kind", ["generations/00", "services/history-00"])
def test_what_is_taken_away_is_never_found_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What has its name counts as whole: the next run that wants it would write nothing, and miss a file."""
    layout = host(tmp_path)
    (layout.state / kind / "z.conf").touch()

    def cut(path: Path) -> None:
        if path.parent != (layout.state / kind).parent:
            return rmtree(path)
        next(one for one in path.iterdir() if one.is_file()).unlink()
        raise OSError(errno.EIO, "the power goes")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", cut)
        with pytest.raises(OSError, match="the power goes"):
            sweep(layout, set())
    assert not (layout.state / kind).exists()
    leftovers.sweep(layout)
    assert list(layout.state.rglob(".*")) == []


def test_the_running_program_stays_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = host(tmp_path)
    running, name = tmp_path / "running.zip", "0" * 32
    running.write_bytes(b"a zip, and its comment " + name.encode())
    monkeypatch.setattr(sys, "path", [str(running)])
    for other in (f"program-{name}-aa.zip", f"program-{'1' * 32}-bb.zip"):
        (layout.state / other).write_text("")
    sweep(layout, set())
    assert [path.name for path in layout.state.glob("program-*")] == [f"program-{name}-aa.zip"]


@pytest.mark.parametrize("cleaned", [True, False])
def test_a_host_that_keeps_a_generation_by_itself_tidies_up_as_a_run_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cleaned: bool
) -> None:
    """Else each lost connection would leave one more; where Docker can't answer the decision stands."""

    def mounted() -> set[str]:
        if not cleaned:
            raise StepError("no answer")
        return set()

    layout = host(tmp_path)
    armed = replace(ARMED, generation=NAMES[-1], previous=NAMES[-2], phase="healthy")
    monkeypatch.setattr(mounts, "mounted", mounted)
    monkeypatch.setattr(undo, "_why_not_keep", lambda *_: "")
    monkeypatch.setattr(guard, "disarm", lambda *_: None)
    assert undo.settle(layout, armed, "the connection was lost") == f"confirmed: {NAMES[-1]}"
    assert left(layout.generations) == ["0", *(NAMES[-KEEP:] if cleaned else NAMES)]
