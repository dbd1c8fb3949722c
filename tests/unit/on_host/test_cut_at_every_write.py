"""The power goes at every single change of the file system, one by one: old or new, and nothing left.

A child process does the change and ends itself, without any clean-up, right before its n-th fsync, rename or
unlink. What was not flushed is still there, so this shows the order of things; the VM shows the flushing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import arming, unattended
from tempo_infra.on_host.generation import switch
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.steps import change
from tests.unit.on_host.a_host import NEW, OLD, Start, boot, is_whole, make

pytestmark = pytest.mark.thorough

CUT, DONE = 7, 0
MANY = 30  # changes of the file system from arming to confirmation, at least


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    return make(tmp_path, monkeypatch)


def changed(layout: Layout) -> None:
    """From arming to the confirmation, as a run does it."""
    arm = change.Arm("r1", "someone", NEW, OLD, "10.0.0.1", [])
    arming.arm(layout, arm)
    record(layout, Entry("r1", "switch", "started", NEW))
    switch(layout, change.Switch(NEW, {}))
    arming.healthy(layout, change.Healthy("r1"))
    arming.confirm(layout, change.Confirm("r1", "health"))


def back(layout: Layout) -> None:
    """What the host does with a change that is not confirmed, after a boot: its units, if they are there."""
    for unit, work in ((guard.BOOT_UNIT, unattended.boot), (guard.AFTER_UNIT, unattended.after_boot)):
        if (layout.root / guard.WANTS / unit).exists():
            work(layout)


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


def test_a_power_cut_at_every_change_of_the_file_system(layout: Layout, tmp_path: Path) -> None:
    """The host is restored to the start for each n; the last one was not cut any more."""
    start = Start(tmp_path)
    seen = []
    number = 1
    while cut_before(number, lambda: changed(layout)):
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
        arming.arm(layout, change.Arm("r1", "someone", NEW, OLD, "10.0.0.1", []))
        record(layout, Entry("r1", "switch", "started", NEW))
        switch(layout, change.Switch(NEW, {}))

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
