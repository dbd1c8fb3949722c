"""The program as the host starts it by itself, from the file that `arm` kept: at a deadline, at a boot."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import hangup, undo
from tempo_infra.on_host.journal import Entry, record, was_kept
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.lock import HostLock, end_holder
from tempo_infra.on_host.network_addresses import addresses
from tempo_infra.on_host.scope import end_scope
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps.step import UNDO_S
from tempo_infra.on_host.watch import Watch

ADDRESS_AGAIN_S = 1.0
AGAIN = 75  # exit code: systemd starts it again


def deadline(layout: Layout, run: str) -> int:
    """Wait until nothing was heard of the run for its grace, end what is left of it, and decide."""
    began = time.monotonic()
    while (armed := guard.open_run(layout, run)) is not None:
        if time.monotonic() - began > guard.WATCH_S:
            return AGAIN
        left_s = armed.grace_s - guard.silent_s(layout, run)
        if left_s > 0:
            time.sleep(min(left_s, 5.0))
        elif guard.open_run(layout, run) == armed:  # else it was decided just now, and fell silent with that
            end_scope(run)
            end_holder(layout, run)
            return _decide(layout, run, f"nothing was heard of the run for {armed.grace_s:g} s")
    return 0


def boot(layout: Layout) -> int:
    """Before Docker starts: put files back when the boot that armed them is over."""
    armed = guard.read(layout)
    if armed is None or armed.phase not in guard.OPEN or armed.boot_id == guard.boot_id(layout):
        return 0
    if was_kept(layout, armed.run):
        guard.disarm(layout, armed)
        return 0
    guard.release_reserve(layout)
    started = Entry(armed.run, "rollback", "started", armed.previous or "", detail="the host was rebooted")
    with contextlib.suppress(OSError):  # a full disk must not stop it
        record(layout, started)
    undo.restore_files(layout, armed)
    guard.enter(layout, armed, "restored")
    return 0


def after_boot(layout: Layout) -> int:
    """With Docker up: recreate the containers as the files say again; end a guard without a record."""
    armed = guard.read(layout)
    if armed is None:
        return _take_away(layout)
    if armed.phase not in guard.OPEN or armed.boot_id == guard.boot_id(layout):
        return 0
    if armed.phase == "healthy":  # the files could not be put back before Docker: do it all now
        guard.enter(layout, armed, "armed")
    if armed.previous is not None:
        _wait_for_address(armed.host)
    return _decide(layout, armed.run, "the host was rebooted before the change was confirmed")


def _wait_for_address(host: str) -> None:
    """Let a VPN or DHCP bring the internal address: nothing can be published or asked there before."""
    end = time.monotonic() + guard.ADDRESS_S
    while host not in addresses() and time.monotonic() < end:
        time.sleep(ADDRESS_AGAIN_S)


def _take_away(layout: Layout) -> int:
    """End what a power cut left between the decision and its end, unless a run arms just now."""
    lock = HostLock(layout)
    with contextlib.suppress(StepError):
        lock.acquire("", "the host itself")
        try:
            if guard.read(layout) is None:
                guard.take_away(layout)
        finally:
            lock.release()
    return 0


def _decide(layout: Layout, run: str, why: str) -> int:
    lock = HostLock(layout)
    lock.acquire(run, "the host itself", wait_s=guard.LOCK_WAIT_S)

    def leave(_: str, after_s: float) -> None:
        print(f"not decided in {after_s:g} s: something hangs; started again", file=sys.stderr)  # noqa: T201  # systemd's journal keeps it
        hangup.end(AGAIN, last=lock.drop)

    try:
        with Watch(lambda _: None, leave) as watch:
            armed = guard.open_run(layout, run)
            watch.begin("decide", guard.decide_s(armed) if armed is not None else UNDO_S)
            return _decide_now(layout, run, why)
    finally:
        lock.release()


def _decide_now(layout: Layout, run: str, why: str) -> int:
    armed = guard.open_run(layout, run)
    if armed is None:
        guard.end_signs(layout, run)  # the one that decided may have been ended before it came to that
        return 0
    rebooted = armed.phase == "restored" or armed.boot_id != guard.boot_id(layout)
    if rebooted and not was_kept(layout, run):
        print(undo.roll_back(layout, armed, why))  # noqa: T201 - systemd's journal
    else:
        print(undo.settle(layout, armed, why))  # noqa: T201  # systemd's journal keeps it
    return 0


def main() -> None:
    """Run `deadline RUN`, `boot` or `after-boot`; the exit code is for systemd."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(0o022)
    layout, word = Layout(), sys.argv[1]
    try:
        if word == "deadline":
            sys.exit(deadline(layout, sys.argv[2]))
        sys.exit(boot(layout) if word == "boot" else after_boot(layout))
    except (StepError, OSError) as error:
        print(error, getattr(error, "remedy", ""), file=sys.stderr)  # noqa: T201  # systemd's journal keeps it
        sys.exit(1 if _is_open(layout) else 0)


def _is_open(layout: Layout) -> bool:
    """Whether it is still to be decided, so that systemd tries again; a damaged record is for a person."""
    try:
        state = guard.read(layout)
    except StepError:
        return False
    return state is not None and state.phase in guard.OPEN
