"""Which checks a lab host can't pass, and why: reviewed, and nothing beyond it.

A lab host is a container on a machine that it shares with the other hosts. `CANNOT_PASS` are outcomes that
would spoil the exit code; `make demo` lowers them by `--ignore`. `MAY_WARN` are warnings that come and go.
"""

from __future__ import annotations

from typing import Final

CANNOT_PASS: Final = {
    "virt.kind": "a lab host is a container, and the check says so",
    "clock.sync": "the machine's clock is not the container's to keep; nothing disciplines it in the lab",
}

MAY_WARN: Final = {
    "virt.kind": "lowered by --ignore",
    "clock.sync": "lowered by --ignore",
    "docker.version": "Debian 13 carries Docker 26; 28 is advised",
    "mem.total": "db-1 is a High-RAM host with 2 GiB a vCPU: the rack has to fit on one machine",
    "kernel.swappiness": "vm.swappiness is the machine's, and may not be a container's to set",
    "disk.fsync": "three hosts share one disk and are measured together, so p99 may pass 10 ms",
    "disk.space": "the hosts share the machine's disk",
}
