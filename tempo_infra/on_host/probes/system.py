"""Which system this is: names and versions, evidence for whoever reads the report."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file


@dataclass(frozen=True, slots=True)
class System:
    hostname: Reading[str]
    os: Reading[str]  # "Debian GNU/Linux 13 (trixie)"
    python: Reading[str]
    uid: Reading[int]  # who the probes ran as
    boot_id: Reading[str]


def parse_os_release(text: str) -> str:
    """Return PRETTY_NAME of /etc/os-release."""
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip().strip("\"'")
    raise Unread("/etc/os-release has no PRETTY_NAME")


def read() -> System:
    return System(
        hostname=attempt(lambda: os.uname().nodename),
        os=attempt(lambda: parse_os_release(read_file("/etc/os-release"))),
        python=attempt(platform.python_version),
        uid=attempt(os.geteuid),
        boot_id=attempt(lambda: read_file("/proc/sys/kernel/random/boot_id").strip()),
    )
