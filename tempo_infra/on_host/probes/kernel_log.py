"""What the kernel complained about since boot: memory, hanging tasks, disks, file systems."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tempo_infra.on_host.probes.reading import Unread, attempt, output_of

MAX_LINES = 20_000
MAX_TEXT = 300
_DEADLINE_S = 8.0
# Words of the kernel: mm/oom_kill.c, kernel/hung_task.c, kernel/watchdog.c, block/blk-core.c, fs/buffer.c,
# drivers/nvme/host/pci.c, fs/ext4/super.c, fs/xfs/xfs_error.c.
KINDS = {
    "oom": re.compile(r"[Oo]ut of memory: Kill|oom-kill:"),
    "hung": re.compile(r"blocked for more than \d+ seconds|soft lockup"),
    "io": re.compile(r"I/O error|nvme\S* .*timeout, (?:aborting|reset|disable)|Medium Error"),
    "filesystem": re.compile(
        r"EXT4-fs error|EXT4-fs \(\S+\): .*[Rr]emounting filesystem read-only"
        r"|XFS \(\S+\): .*(?:[Cc]orruption|Internal error|Shutting down)|BTRFS error|BTRFS: error"
    ),
}


@dataclass(frozen=True, slots=True)
class Complaint:
    kind: str  # "oom", "hung", "io" or "filesystem"
    count: int
    last: str  # the last line of that kind


@dataclass(frozen=True, slots=True)
class KernelLog:
    origin: str  # "journal" or "dmesg"
    lines: int
    complaints: tuple[Complaint, ...]


def parse(text: str, origin: str) -> KernelLog:
    """Count the lines of each kind; one OOM kill writes more than one, so its count is of lines."""
    lines = text.splitlines()[-MAX_LINES:]
    found: "dict[str, Complaint]" = {}
    for line in lines:
        for kind, pattern in KINDS.items():
            if pattern.search(line):
                before = found[kind].count if kind in found else 0
                found[kind] = Complaint(kind, before + 1, line.strip()[:MAX_TEXT])
    return KernelLog(origin, len(lines), tuple(found[kind] for kind in KINDS if kind in found))


def read() -> KernelLog:
    """Ask the journal of this boot, or the kernel's own buffer where there is none."""
    words = ("journalctl", "--dmesg", "--boot", "--no-pager", "--quiet", f"--lines={MAX_LINES}")
    journal = attempt(lambda: output_of(*words, deadline_s=_DEADLINE_S))
    if journal.value and journal.value.strip():
        return parse(journal.value, "journal")
    buffer = attempt(lambda: output_of("dmesg", deadline_s=_DEADLINE_S))
    if buffer.value is None:
        raise Unread(f"neither the journal nor the buffer could be read: {buffer.unread}")
    return parse(buffer.value, "dmesg")
