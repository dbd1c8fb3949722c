"""Faults of the clock: only the VM has one of its own.

A second chronyd, which only serves, stands for the time servers that the VM can't reach.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from tests.lab.planted.fault import VM_ROLE, Fault, Site, by_shell, done, setting

SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
SERVER = "/etc/chrony/lab-server.conf"
SERVER_CONF = (
    "local stratum 1\nport 11123\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\nbindcmdaddress /\n"
    "pidfile /run/chrony/lab-server.pid"
)
SOURCES = "/etc/chrony/sources.d/lab.sources"
PROGRAM = "/usr/local/sbin/lab-timeserver"  # chronyd by another name: it keeps no clock
START = f"systemd-run -q --collect --unit=lab-time {PROGRAM} -d -x -f {SERVER}"
SYNCHRONISED = "sleep 1 && chronyc online > /dev/null && chronyc waitsync 60 0.05 0 1 > /dev/null"

SYNCHRONISED_AGAIN = "sleep 8"  # a clock that was set counts as wrong until chrony's next update


def keep_time(site: Site) -> None:
    """Give the VM the right time, and a time server that its chrony follows."""
    set_clock(site)
    site.shell(
        f"cp $(command -v chronyd) {PROGRAM} && echo {quote(SERVER_CONF)} > {SERVER} && {START}"
        f" && echo 'server 127.0.0.1 port 11123 iburst minpoll 0 maxpoll 2' > {SOURCES}"
        f" && chronyc reload sources > /dev/null && {SYNCHRONISED}"
    )


def set_clock(site: Site) -> None:
    """Set the clock by the controller's, which is said to a program that runs already."""
    command = "import sys, time; print(flush=True); time.clock_settime(time.CLOCK_REALTIME, float(input()))"
    site.vm.converse(["sudo", "python3", "-c", command], lambda: str(time.time()))


@contextmanager
def two_seconds_off(site: Site) -> Iterator[None]:
    """The server that chrony follows is as wrong as the clock: nothing on the host can tell."""
    try:
        site.shell(f"date -s '+2 seconds' > /dev/null && {SYNCHRONISED_AGAIN}")
        yield
    finally:
        set_clock(site)
        site.shell(SYNCHRONISED_AGAIN)


@contextmanager
def no_server(site: Site) -> Iterator[None]:
    """chrony starts again and reaches no server, as behind a firewall without UDP 123."""
    heal = f"{START} && sleep 1 && systemctl restart chrony && {SYNCHRONISED}"
    with done(site, "systemctl stop lab-time && systemctl restart chrony && sleep 2", heal):
        yield


FAULTS = (
    Fault(
        "clock two seconds off",
        VM_ROLE,
        "clock.skew",
        "fail",
        "date -s '+2 seconds'",
        two_seconds_off,
    ),
    Fault(
        "unsynchronised clock",
        VM_ROLE,
        "clock.sync",
        "fail",
        "chrony is started again and reaches no server",
        no_server,
    ),
    Fault(
        "stopped chrony",
        VM_ROLE,
        "clock.sync",
        "warn",
        "systemctl stop chrony",
        by_shell(
            "systemctl stop chrony",
            f"systemctl start chrony && {SYNCHRONISED}",
        ),
    ),
    Fault(
        "clock that is dear to read",
        VM_ROLE,
        "clock.source",
        "warn",
        "the kernel is told to read hpet",
        setting(SOURCE, "hpet"),
    ),
)
