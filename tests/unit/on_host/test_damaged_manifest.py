"""A host whose current generation has lost its manifest, or a later version wrote it, can leave it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import arming, kernel_before, runs, snapshot, unattended, undo
from tempo_infra.on_host.generation import switch
from tempo_infra.on_host.layout import ZERO, Layout
from tempo_infra.on_host.steps import change
from tests.unit.on_host.a_host import FILES, NEW, OLD, is_whole, make, state

STALE, SWAPPINESS = "etc/sysctl.d/59-of-then.conf", "proc/sys/vm/swappiness"


@pytest.fixture(params=[None, "", "{", "[]", '{"format": 99}'])
def layout(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """The current generation has a file that the other one has not, which sets a value of the kernel."""
    monkeypatch.setattr(unattended, "end_scope", lambda _: None)
    monkeypatch.setattr(runs, "end_scope", lambda _: None)
    found = make(tmp_path, monkeypatch)
    for path in (found.current / STALE, found.installed(STALE)):
        path.write_text("vm.swappiness = 1\n")
    (tmp_path / SWAPPINESS).parent.mkdir(parents=True)
    (tmp_path / SWAPPINESS).write_text("1\n")
    kernel_before.remember(found, {SWAPPINESS: "60"})  # as the run did that set it first
    found.zero.mkdir(parents=True)
    body = {"files": {path: {"mode": None, "uid": 0, "gid": 0} for path in FILES}, "live": {SWAPPINESS: "60"}}
    (found.zero / snapshot.BODY).write_text(json.dumps(body))
    if request.param is None:
        (found.current / "manifest.json").unlink()
    else:
        (found.current / "manifest.json").write_text(request.param)
    return found


def arm(layout: Layout, digest: str) -> None:
    arming.arm(layout, change.Arm("r1", "someone", digest, OLD, "10.0.0.1", [], grace_s=0.0))
    switch(layout, change.Switch(digest, {}))


def test_it_goes_to_another_one_and_nothing_of_its_own_stays(layout: Layout) -> None:
    arm(layout, NEW)
    assert state(layout) == "new"
    assert not layout.installed(STALE).exists()
    assert (layout.root / SWAPPINESS).read_text() == "60\n"
    arming.healthy(layout, change.Healthy("r1"))
    arming.confirm(layout, change.Confirm("r1", "by hand"))
    assert is_whole(layout) == "new"


def test_what_was_installed_comes_back_where_the_other_one_fails(layout: Layout) -> None:
    arm(layout, NEW)
    armed = guard.read(layout)
    assert armed is not None
    undo.roll_back(layout, armed, "it does not serve")
    assert state(layout) == "old"
    assert layout.installed(STALE).read_text() == "vm.swappiness = 1\n"
    assert (layout.root / SWAPPINESS).read_text() == "1\n"


def test_it_goes_to_what_was_before_all(layout: Layout) -> None:
    arm(layout, ZERO)
    assert not layout.current.is_symlink()
    assert [path for path in (*FILES, STALE) if layout.installed(path).exists()] == []
    assert (layout.root / SWAPPINESS).read_text() == "60\n"
