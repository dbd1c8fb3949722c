"""A host on a confirmed generation, with another one staged beside it: no Docker, no systemd, files only."""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import arming, garbage, leftovers, program, unattended, undo
from tempo_infra.on_host.journal import Entry, confirmed, record
from tempo_infra.on_host.layout import Layout

FILES = ("etc/sysctl.d/60-tempo-infra.conf", "etc/security/limits.d/60-tempo-infra.conf")
OLD, NEW = "a" * 64, "b" * 64


class Start:
    """A copy of the host's files, to begin again from."""

    def __init__(self, root: Path) -> None:
        self.root, self.copy = root, root.with_name(f"{root.name}-start")
        shutil.copytree(root, self.copy, symlinks=True)

    def again(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.copy, self.root, symlinks=True)


def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A host on the confirmed generation a, with b staged beside it; no Docker, no systemd."""
    for name, text in ((OLD, "old"), (NEW, "new")):
        folder = tmp_path / "var/lib/tempo-infra/generations" / name
        for path in FILES:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        entry = {"sha256": sha256(text.encode()).hexdigest(), "mode": "0644"}
        manifest = {"files": dict.fromkeys(FILES, entry), "services": {}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "docker-compose.yml").write_text("services: {}\n")
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("old")
    (tmp_path / "run").mkdir()
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    boot(tmp_path, "boot-1")
    layout = Layout(tmp_path)
    layout.current.symlink_to(f"generations/{OLD}")
    record(layout, Entry("r0", "confirm", "confirmed", OLD))
    monkeypatch.setattr(os, "fsync", lambda _: None)  # counted, and too slow to be done so often
    monkeypatch.setattr(unattended, "addresses", lambda: ["10.0.0.1"])
    monkeypatch.setattr(arming, "running", lambda _: {})
    monkeypatch.setattr(garbage, "collect", lambda _: [])
    monkeypatch.setattr(arming, "remember_compose", lambda _: None)
    monkeypatch.setattr(undo, "running", lambda _: {})
    monkeypatch.setattr(undo, "check_health", lambda *_, **__: None)
    monkeypatch.setattr(undo, "_containers_once", lambda *_: "")
    monkeypatch.setattr(guard, "_start_timer", lambda *_: None)
    monkeypatch.setattr(program, "save", lambda _: "program-x.zip")
    monkeypatch.setattr(guard, "run", lambda *_, **__: None)
    return layout


def boot(root: Path, name: str) -> None:
    (root / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (root / "proc/sys/kernel/random/boot_id").write_text(name)
    for path in (root / "run").iterdir():
        path.unlink()


def state(layout: Layout) -> str:
    """Return "old" or "new" where all agree, else what differs."""
    texts = {(layout.root / path).read_text() for path in FILES}
    link = layout.current.resolve().name
    if (texts, link) == ({"old"}, OLD):
        return "old"
    return "new" if (texts, link) == ({"new"}, NEW) else f"mixed: {texts}, {link[:4]}"


def is_whole(layout: Layout) -> str:
    """Insist on a host that has decided, with nothing left behind; which generation it is."""
    now = state(layout)
    assert now in ("old", "new")
    assert guard.read(layout) is None
    assert confirmed(layout) == {"old": OLD, "new": NEW}[now], layout.journal.read_text()
    leftovers.sweep(layout)
    assert leftovers.find(layout) == []
    hidden = [path for path in layout.root.rglob(".*") if path.name != ".keep"]
    assert hidden == []
    assert guard.leavings(layout) == []
    return now
