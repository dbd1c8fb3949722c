"""The record of a change that is not confirmed yet, and what guards it: a timer, and two units for a boot.

While `armed.json` exists, the host will keep or put back its generation by itself, whoever is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host.durable import make_folder, remove_file, replace_file, replace_symlink
from tempo_infra.on_host.shell import StepError, must, run
from tempo_infra.on_host.steps.step import UNDO_S

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

BOOT_UNIT, AFTER_UNIT = "tempo-infra-boot.service", "tempo-infra-after-boot.service"
BOTH_UNITS = (BOOT_UNIT, AFTER_UNIT)
WANTS = "etc/systemd/system/multi-user.target.wants"
RESERVE, RESERVE_BYTES = "reserve", 256 * 1024
_beating = threading.Lock()  # signs of life come from another thread than the one that disarms
OPEN = ("armed", "healthy", "restored")  # phases in which the host still has to decide
WATCH_S = 3600.0  # the timer's program starts again after so long of a run that goes on
FILES_S, ADDRESS_S = 600.0, 600.0  # a boot puts files back, and waits for the internal address
LOCK_WAIT_S, MARGIN_S = 30.0, 300.0


@dataclass(frozen=True)
class Armed:
    """One change under way. Times are of the clock that runs since boot; `boot_id` says which boot."""

    run: str
    who: str  # as the operator's program says
    boot_id: str
    generation: str  # the new one
    previous: Optional[str]  # the last confirmed one; None: nothing of ours was here
    before: str  # folder in the state folder with what lay under /etc
    program: str  # file in the state folder
    host: str  # internal address, asked for health where a generation names none
    on_failure: str = "rollback"
    phase: str = "armed"  # "healthy", "restored" (files, by a boot), "held" or "failed" (a person decides)
    grace_s: float = 60.0
    soak_s: float = 0.0  # how long new containers must stay healthy
    inventory: str = ""  # sha256 of the text that the generation was made from
    login: str = ""  # who it was, as this host knows
    since: str = ""
    running: "dict[str, str]" = field(default_factory=dict)  # container -> start time, before the change
    started: "dict[str, str]" = field(default_factory=dict)  # the same, when it was healthy
    healthy_at: float = 0.0  # by the clock that runs since boot


def read(layout: Layout) -> Optional[Armed]:
    """Return the change that is under way; None when there is none. StepError when its record is damaged.

    What a later version wrote beside is left out.
    """
    try:
        body = json.loads(layout.armed.read_text())
        return Armed(**{name: body[name] for name in body.keys() & {one.name for one in fields(Armed)}})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise StepError(f"{layout.armed} can't be read, so nobody may decide: {error}") from error


def open_run(layout: Layout, run_id: str) -> Optional[Armed]:
    """Return the change of a run when the host still has to decide about it."""
    armed = read(layout)
    return armed if armed is not None and armed.run == run_id and armed.phase in OPEN else None


def not_over(armed: Armed) -> str:
    return (
        f"run {armed.run} of {armed.who} is not over on this host: it decides by itself within "
        f"{armed.grace_s:g} s of silence; see `tempo-infra resume {armed.run}`"
    )


def write(layout: Layout, armed: Armed) -> None:
    replace_file(layout.armed, json.dumps(asdict(armed), sort_keys=True).encode(), 0o600)


def enter(layout: Layout, armed: Armed, phase: str) -> Armed:
    """Write the next phase and return the record."""
    later = replace(armed, phase=phase)
    write(layout, later)
    return later


def enter_healthy(layout: Layout, armed: Armed, started: "dict[str, str]") -> Armed:
    """Write that it is healthy since now, and which containers it was."""
    later = replace(armed, phase="healthy", started=started, healthy_at=since_boot_s())
    write(layout, later)
    return later


def since_boot_s() -> float:
    """Return the clock that no one can step and that runs on while the host is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id(layout: Layout) -> str:
    return (layout.root / "proc/sys/kernel/random/boot_id").read_text().strip()


def guard(layout: Layout, armed: Armed) -> None:
    """Install the boot units and start the timer, then write the record: from here on the host decides."""
    try:
        beat(layout, armed.run)
        replace_file(layout.state / RESERVE, os.urandom(RESERVE_BYTES), 0o600)
        for name, text in _units(layout, armed).items():
            replace_file(layout.root / "etc/systemd/system" / name, text.encode(), 0o644)
            make_folder(layout.root / WANTS, 0o755)
            replace_symlink(layout.root / WANTS / name, f"../{name}")
        _start_timer(layout, armed)
        write(layout, armed)
    except (StepError, OSError):
        disarm(layout, armed, keep_record=True)  # of an earlier run that was held, if there is one
        raise


def decide_s(armed: Armed) -> float:
    """Return the longest time of a decision: the soak, and putting back. Past it, systemd starts it again."""
    return armed.soak_s + 2 * UNDO_S


def _start_timer(layout: Layout, armed: Armed) -> None:
    longest_s = WATCH_S + LOCK_WAIT_S + decide_s(armed) + MARGIN_S
    words = ["systemd-run", "--quiet", "--collect", f"--unit={_timer(armed)}"]
    words += [f"--on-active={armed.grace_s:g}s", "--timer-property=AccuracySec=100ms"]
    words += ["--property=Restart=on-failure", "--property=RestartSec=10s"]
    words += [f"--property=RuntimeMaxSec={longest_s:g}s", "--property=TimeoutStopSec=10s"]
    must([*words, *_start(layout, armed), "deadline", armed.run], deadline_s=20)


def disarm(layout: Layout, armed: Armed, *, keep_record: bool = False) -> None:
    """Take the guard away: the record before the units, for a record without them waits for ever.

    Units without a record decide nothing, and the one that runs after a boot takes them away. The sign of
    life goes after the record: who misses it and then reads the record knows that it is over.
    """
    if not keep_record:
        remove_file(layout.armed)
    take_away(layout)
    end_signs(layout, armed.run)
    with contextlib.suppress(StepError):  # a timer that stays finds nothing to decide
        run(["systemctl", "stop", f"{_timer(armed)}.timer"], deadline_s=20)


def take_away(layout: Layout) -> None:
    """Remove the units and the reserve; nothing happens where there are none."""
    for path in _unit_files(layout):
        remove_file(path)
    release_reserve(layout)


def leavings(layout: Layout) -> "list[Path]":
    """Return the parts of a guard that are there."""
    parts = (*_unit_files(layout), layout.state / RESERVE)
    return [path for path in parts if path.is_symlink() or path.exists()]


def _unit_files(layout: Layout) -> "list[Path]":
    """Return the links that start the units, and then the units."""
    return [layout.root / folder / name for folder in (WANTS, "etc/systemd/system") for name in BOTH_UNITS]


def heartbeat(layout: Layout, run_id: str) -> Path:
    return layout.root / "run" / f"tempo-infra-{run_id}"


def beat(layout: Layout, run_id: str) -> None:
    """Say that the run's own process lives; in memory only, a boot ends it anyway."""
    path = heartbeat(layout, run_id)
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(f"{since_boot_s()}")
    temporary.rename(path)


def beat_on(layout: Layout, run_id: str) -> None:
    """Say it again, for as long as the change is guarded: no sign of life is left behind."""
    with _beating, contextlib.suppress(OSError):
        if heartbeat(layout, run_id).exists():
            beat(layout, run_id)


def end_signs(layout: Layout, run_id: str) -> None:
    """Take a run's sign of life away, and what a killed process left of one."""
    path = heartbeat(layout, run_id)
    with _beating:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.new").unlink(missing_ok=True)


def silent_s(layout: Layout, run_id: str) -> float:
    """Return for how long nothing was heard of a run's process."""
    try:
        last = float(heartbeat(layout, run_id).read_text())
    except (FileNotFoundError, ValueError):
        return float("inf")
    return since_boot_s() - last


def _timer(armed: Armed) -> str:
    return f"tempo-infra-deadline-{armed.run}"


def _start(layout: Layout, armed: Armed) -> "list[str]":
    python = os.path.realpath(sys.executable or "/usr/bin/python3")
    return [python, "-I", str(layout.state / armed.program)]


def _units(layout: Layout, armed: Armed) -> "dict[str, str]":
    start = " ".join(_start(layout, armed))
    head = f"[Unit]\nRequiresMountsFor={layout.state}\n"
    tail = "\n[Service]\nType=oneshot\nTimeoutStopSec=10s\n"
    after_s = ADDRESS_S + LOCK_WAIT_S + decide_s(armed) + MARGIN_S
    return {
        BOOT_UNIT: f"{head}ConditionPathExists={layout.armed}\n"
        f"Description=tempo-infra: put back files of an unconfirmed change\n"
        f"Before=docker.service containerd.service\nAfter=systemd-sysctl.service\n"
        f"{tail}ExecStart={start} boot\nTimeoutStartSec={FILES_S:g}s\n",
        AFTER_UNIT: f"{head}Description=tempo-infra: put back containers of an unconfirmed change\n"
        f"Wants=docker.service network-online.target\n"
        f"After=docker.service network-online.target {BOOT_UNIT}\n"
        f"{tail}ExecStart={start} after-boot\nTimeoutStartSec={after_s:g}s\n"
        f"Restart=on-failure\nRestartSec=10s\n",  # the timer of before the boot is gone: nobody else would
    }


def release_reserve(layout: Layout) -> None:
    """Give back the space that was set aside for putting things back on a full disk."""
    (layout.state / RESERVE).unlink(missing_ok=True)
