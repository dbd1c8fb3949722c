"""What the kernel knows about its clock: no daemon is asked, so chrony, timesyncd and ntpd are alike."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from typing import Iterable

from tempo_infra.on_host import processes
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file

STA_UNSYNC = 0x40  # linux/timex.h
TIME_ERROR = 5
# As the kernel names processes, in at most 15 letters: chrony, timesyncd, ntpd and OpenNTPD, ntpd-rs, PTP.
KEEPERS = ("chronyd", "systemd-timesyn", "ntpd", "ntp-daemon", "phc2sys", "ptp4l")
_SOURCE = "/sys/devices/system/clocksource/clocksource0"


@dataclass(frozen=True, slots=True)
class Discipline:
    """adjtimex(2): is something keeping the clock right, and how wrong may it be at most."""

    synchronised: bool
    max_error_ms: float  # 16000 when nothing has ever set it


@dataclass(frozen=True, slots=True)
class Source:
    current: str  # "tsc"
    available: str


@dataclass(frozen=True, slots=True)
class Clock:
    discipline: Reading[Discipline]
    source: Reading[Source]
    uptime_s: Reading[float]
    keeper: Reading[str]  # the program that keeps it right; nothing to read when none runs


def keeper(names: "Iterable[str]") -> str:
    """Return which of the running programs keeps the clock."""
    running = set(names)
    for one in KEEPERS:
        if one in running:
            return one
    raise Unread("no chronyd, systemd-timesyncd or ntpd runs", not_wanted=True)


def _keeper() -> str:
    table = processes.read()
    if all(one.pid != 1 for one in table):
        raise Unread("the processes of other users can't be seen")
    return keeper(one.name for one in table)


class _Timex(ctypes.Structure):
    _fields_ = [  # struct timex of linux/timex.h
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),  # what follows is written by the kernel and not read here
    ]


def parse(state: int, status: int, max_error_us: int) -> Discipline:
    """Turn adjtimex's answer into words."""
    return Discipline(state != TIME_ERROR and not status & STA_UNSYNC, max_error_us / 1000)


def _discipline() -> Discipline:
    library = ctypes.CDLL(None, use_errno=True)
    answer = _Timex()
    state = library.adjtimex(ctypes.byref(answer))  # modes 0: reads, needs no root, changes nothing
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "adjtimex")
    return parse(state, answer.status, answer.maxerror)


def _source() -> Source:
    return Source(
        current=read_file(f"{_SOURCE}/current_clocksource").strip(),
        available=read_file(f"{_SOURCE}/available_clocksource").strip(),
    )


def read() -> Clock:
    return Clock(
        discipline=attempt(_discipline),
        source=attempt(_source),
        uptime_s=attempt(lambda: float(time.clock_gettime(time.CLOCK_BOOTTIME))),
        keeper=attempt(_keeper),
    )
