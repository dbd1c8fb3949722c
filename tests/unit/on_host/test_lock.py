from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tempo_infra.on_host import lock
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.lock import HostLock, holder
from tempo_infra.on_host.shell import StepError

pytestmark = pytest.mark.thorough


def test_a_second_run_is_told_who_holds_the_host(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first, second = HostLock(layout), HostLock(layout)
    first.acquire("7f3a", "kari@laptop")
    with pytest.raises(StepError, match=r"kari@laptop, run 7f3a, since \d{4}-"):
        second.acquire("81bb", "ola@desk")


def test_a_machine_with_two_names_is_told(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    one, other = HostLock(layout), HostLock(layout)
    one.acquire("7f3a", "kari@laptop")
    with pytest.raises(StepError, match="has it two names in the inventory"):
        other.acquire("7f3a", "kari@laptop")


def test_who_lets_go_leaves_nothing_behind(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first, second = HostLock(layout), HostLock(layout)
    first.acquire("7f3a", "kari@laptop")
    first.release()
    first.release()
    second.acquire("81bb", "ola@desk")


def test_the_same_run_may_ask_twice(tmp_path: Path) -> None:
    lock = HostLock(Layout(tmp_path))
    lock.acquire("7f3a", "kari@laptop")
    lock.acquire("7f3a", "kari@laptop")
    assert "7f3a" in Layout(tmp_path).lock.read_text()


def test_the_lock_of_a_file_that_was_removed_keeps_nobody_out_and_does_not_count(tmp_path: Path) -> None:
    """`remove` takes the file away while others wait for it: they must not be at work side by side."""
    layout = Layout(tmp_path)
    leaves, waits, comes = HostLock(layout), HostLock(layout), HostLock(layout)
    leaves.acquire("7f3a", "kari@laptop")

    def leave() -> None:
        layout.lock.unlink()
        leaves.release()

    threading.Timer(0.3, leave).start()
    waits.acquire("81bb", "ola@desk", wait_s=10.0)
    with pytest.raises(StepError, match=r"ola@desk, run 81bb"):
        comes.acquire("90cc", "liv@train")


def test_who_is_at_work_is_what_has_the_lock_not_what_its_file_says(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert holder(layout) == ""
    lock = HostLock(layout)
    lock.acquire("7f3a", "kari@laptop")
    assert holder(layout) == "7f3a"
    text = layout.lock.read_text()
    lock.release()
    layout.lock.write_text(text)  # as a process leaves it that was killed
    assert holder(layout) == ""


def test_looking_at_the_lock_does_not_keep_a_run_from_taking_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    layout.lock.touch()
    looks = layout.lock.open()
    fcntl.flock(looks, fcntl.LOCK_SH)
    threading.Timer(0.1, looks.close).start()
    HostLock(layout).acquire("81bb", "ola@desk")


def test_a_file_that_is_removed_between_opening_and_locking_does_not_count_either(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    class Slow(HostLock):
        opened = 0

        def _opened(self) -> int:
            descriptor = super()._opened()
            self.opened += 1
            if self.opened == 1:
                layout.lock.unlink()
            return descriptor

    Slow(layout).acquire("7f3a", "kari@laptop")
    with pytest.raises(StepError, match=r"kari@laptop, run 7f3a"):
        HostLock(layout).acquire("81bb", "ola@desk")


def test_a_full_disk_does_not_keep_a_host_from_deciding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has the lock can't be written then; it is held all the same."""
    layout = Layout(tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    HostLock(layout).acquire("7f3a", "the host itself")
    with pytest.raises(StepError, match="holder unknown"):
        HostLock(layout).acquire("81bb", "ola@desk")


def test_a_disk_that_fails_keeps_no_lock_from_being_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, lock = Layout(tmp_path), HostLock(Layout(tmp_path))
    lock.acquire("7f3a", "kari@laptop")

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", read_only)
        lock.release()
    assert holder(layout) == ""
    HostLock(layout).acquire("81bb", "ola@desk")


def test_who_takes_the_lock_is_a_line_in_the_systems_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    Path("dev").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("dev/log")
        log.settimeout(2)
        lock = HostLock(Layout(Path()))
        lock.acquire("r1", "kari@laptop")
        lock.acquire("r1", "kari@laptop")
        lock.release()
        assert re.fullmatch(rb"<37>tempo-infra: run r1 by kari@laptop \(.+\): begins", log.recv(4096))
        log.settimeout(0)
        with pytest.raises(BlockingIOError):
            log.recv(4096)


def test_a_process_whose_name_is_no_text_is_a_process() -> None:
    """A number is given again, and anybody may call a process anything."""
    program = "import ctypes; ctypes.CDLL(None).prctl(15, b'\\xff'); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as started:  # type: ignore[call-overload]
        started.stdout.readline()
        found = lock._process(started.pid)
        started.communicate(b"\n")
    assert re.fullmatch(rf"{started.pid} \d+", found)
