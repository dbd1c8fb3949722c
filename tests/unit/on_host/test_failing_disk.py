"""The disk fails at every single write, one by one, and stays so: old or new once there is room again.

From the n-th change of the file system on each one fails; the run's process answers its operator, who
leaves, and the disk is healed before or after that.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import unattended
from tempo_infra.on_host.serve import HANDLERS
from tempo_infra.on_host.session import Session
from tempo_infra.on_host.steps import change
from tests.unit.on_host.a_host import NEW, OLD, Start, is_whole, make

pytestmark = pytest.mark.thorough

RUN = "r1"
STEPS = [
    change.Arm(RUN, "x", NEW, OLD, "10.0.0.1", [], grace_s=0.0),
    change.Switch(digest=NEW, found={}),
    change.Healthy(run=RUN),
    change.Confirm(run=RUN, why="health"),
]
MAKING = os.O_CREAT
# What fails, and how, on a disk that is full, out of order, or read-only.
FAULTS = {
    "full": (errno.ENOSPC, {"open", "write", "mkdir", "symlink"}),
    "fsync": (errno.EIO, {"fsync"}),
    "read-only": (errno.EROFS, {"open", "write", "mkdir", "symlink", "rename", "replace", "unlink"}),
}


class Disk:
    """Lets some changes of the file system pass, and then none until it is healed."""

    def __init__(self, passing: int, fault: str) -> None:
        self.left, (self.number, self.names) = passing, FAULTS[fault]
        self.refused = 0

    def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            in_memory = "/run/" in str(words[0])
            if in_memory or (name == "open" and not (len(words) > 1 and words[1] & MAKING)):
                return real(*words, **named)
            self.left -= 1
            if self.left < 0:
                self.refused += 1
                raise OSError(self.number, os.strerror(self.number), str(words[0]))
            return real(*words, **named)

        return call

    @contextmanager
    def failing(self) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            for name in self.names:
                patch.setattr(os, name, self.wrapped(name, getattr(os, name)))
            yield


@pytest.mark.parametrize("healed", ["before the operator leaves", "after the host has tried by itself"])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_disk_fails_from_any_write_on(
    fault: str, healed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make(tmp_path, monkeypatch)
    start = Start(tmp_path)
    number, seen, refused = 0, [], True
    while refused:
        disk = Disk(number, fault)
        session = Session(HANDLERS, "n", io.BytesIO(), io.BytesIO(), layout)
        session._run = RUN
        with disk.failing():
            reply = session._do(STEPS)
            if healed.startswith("after"):
                session._settle_alone()
        session._settle_alone()
        assert unattended.deadline(layout, RUN) == 0
        refused = bool(disk.refused)
        seen.append((is_whole(layout), not reply.failed))
        assert guard.read(layout) is None
        start.again()
        number += 1
    assert seen[-1] == ("new", True)
    assert all(generation == "new" for generation, fine in seen if fine)
    assert seen[0][0] == "old"
    assert number > 5
