"""The power goes at every single change of the file system, one by one: old or new, and nothing left.

A child process does the change and ends itself, without any clean-up, right before its n-th fsync, rename or
unlink. What was not flushed is still there, so this shows the order of things; the VM shows the flushing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import alone, arming, leftovers, undo
from tempo_infra.on_host import armed as guard
from tempo_infra.on_host.generation import SwitchArgs, switch
from tempo_infra.on_host.journal import Entry, confirmed, record
from tempo_infra.on_host.layout import Layout

FILES = ("etc/sysctl.d/60-tempo-infra.conf", "etc/security/limits.d/60-tempo-infra.conf")
OLD, NEW = "a" * 64, "b" * 64
CUT, DONE = 7, 0
MANY = 30  # changes of the file system from arming to confirmation, at least


class Start:
    """A copy of the host's files, to begin again from."""

    def __init__(self, root: Path) -> None:
        self.root, self.copy = root, root.with_name(f"{root.name}-start")
        shutil.copytree(root, self.copy, symlinks=True)

    def again(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.copy, self.root, symlinks=True)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
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
    monkeypatch.setattr(arming, "running", lambda _: {})
    monkeypatch.setattr(arming, "collect", lambda _: [])
    monkeypatch.setattr(undo, "running", lambda _: {})
    monkeypatch.setattr(undo, "check_health", lambda *_, **__: None)
    monkeypatch.setattr(undo, "_containers_once", lambda *_: "")
    monkeypatch.setattr(guard, "_start_timer", lambda *_: None)
    monkeypatch.setattr(guard, "save_program", lambda _: "program-x.zip")
    monkeypatch.setattr(guard, "run", lambda *_, **__: None)
    return layout


def boot(root: Path, name: str) -> None:
    (root / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (root / "proc/sys/kernel/random/boot_id").write_text(name)
    for path in (root / "run").iterdir():
        path.unlink()


def change(layout: Layout) -> None:
    """From arming to the confirmation, as a run does it."""
    arm = arming.ArmArgs("r1", "someone", NEW, OLD, "10.0.0.1", {}, [])
    arming.arm(layout, arm)
    record(layout, Entry("r1", "switch", "started", NEW))
    switch(layout, SwitchArgs(NEW, {}))
    arming.healthy(layout, arming.RunArgs("r1"))
    arming.confirm(layout, arming.RunArgs("r1", "health"))


def back(layout: Layout) -> None:
    """What the host does with a change that is not confirmed, after a boot: both of its units."""
    alone.boot(layout)
    alone.after_boot(layout)


def cut_before(number: int, work: Callable[[], object]) -> bool:
    """Do work in a child that ends before its n-th change of the file system; whether it was cut."""
    child = os.fork()
    if child == 0:
        left = [number]

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*words: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(CUT)
                return real(*words, **named)

            return call

        for name in ("fsync", "rename", "replace", "unlink", "symlink", "mkdir"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
            os._exit(DONE)
        except BaseException as error:  # noqa: BLE001 - the child must not go on as a test run
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (CUT, DONE), "the work failed by itself"
    return code == CUT


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
    assert confirmed(layout) == {"old": OLD, "new": NEW}[now]
    leftovers.sweep(layout)
    assert leftovers.find(layout) == []
    hidden = [path for path in layout.root.rglob(".*") if path.name != ".keep"]
    assert hidden == []
    assert guard.leavings(layout) == []
    return now


def test_a_power_cut_at_every_change_of_the_file_system(layout: Layout, tmp_path: Path) -> None:
    """The host is restored to the start for each n; the last one was not cut any more."""
    start = Start(tmp_path)
    seen = []
    number = 1
    while cut_before(number, lambda: change(layout)):
        boot(tmp_path, "boot-2")
        back(layout)
        seen.append(is_whole(layout))
        start.again()
        number += 1
    assert is_whole(layout) == "new"
    assert number > MANY
    assert seen == sorted(seen, reverse=True), "new only from the confirmation on"
    assert (seen[0], seen[-1]) == ("old", "new")


def test_a_second_cut_while_the_host_goes_back(layout: Layout, tmp_path: Path) -> None:
    def switched() -> None:
        arming.arm(layout, arming.ArmArgs("r1", "someone", NEW, OLD, "10.0.0.1", {}, []))
        record(layout, Entry("r1", "switch", "started", NEW))
        switch(layout, SwitchArgs(NEW, {}))

    switched()
    boot(tmp_path, "boot-2")
    start = Start(tmp_path)
    number = 1
    while cut_before(number, lambda: back(layout)):
        boot(tmp_path, f"boot-{number + 2}")
        back(layout)
        assert is_whole(layout) == "old"
        start.again()
        number += 1
    assert is_whole(layout) == "old"
    assert number > MANY / 2
