"""Kernel settings that PostgreSQL and Temporal feel."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file, read_number


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """/proc/sys/fs/file-nr, and how many one process may be allowed at most."""

    allocated: int
    maximum: int
    per_process: int


@dataclass(frozen=True, slots=True)
class Dirty:
    """How much written data may wait in memory before writers are held up; bytes win over the ratio."""

    limit_bytes: int  # 0: the ratio counts
    ratio_percent: int


@dataclass(frozen=True, slots=True)
class Kernel:
    release: Reading[str]
    thp: Reading[str]  # "always", "madvise" or "never"
    swappiness: Reading[int]
    overcommit: Reading[int]
    somaxconn: Reading[int]
    dirty: Reading[Dirty]
    open_files: Reading[OpenFiles]


def parse_choice(text: str) -> str:
    """Return the chosen word of "always [madvise] never"."""
    found = re.search(r"\[(\w+)\]", text)
    if found is None:
        raise Unread(f"no choice in {text.strip()!r}")
    return found[1]


def parse_open_files(file_nr: str, nr_open: str) -> OpenFiles:
    allocated, _, maximum = (int(word) for word in file_nr.split())
    return OpenFiles(allocated, maximum, int(nr_open))


def read() -> Kernel:
    return Kernel(
        release=attempt(lambda: os.uname().release),
        thp=attempt(lambda: parse_choice(read_file("/sys/kernel/mm/transparent_hugepage/enabled"))),
        swappiness=attempt(lambda: read_number("/proc/sys/vm/swappiness")),
        overcommit=attempt(lambda: read_number("/proc/sys/vm/overcommit_memory")),
        somaxconn=attempt(lambda: read_number("/proc/sys/net/core/somaxconn")),
        dirty=attempt(
            lambda: Dirty(read_number("/proc/sys/vm/dirty_bytes"), read_number("/proc/sys/vm/dirty_ratio"))
        ),
        open_files=attempt(
            lambda: parse_open_files(read_file("/proc/sys/fs/file-nr"), read_file("/proc/sys/fs/nr_open"))
        ),
    )
