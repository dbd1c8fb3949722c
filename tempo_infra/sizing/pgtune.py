"""What pgtune (https://pgtune.leopard.in.ua, as of 2026-07) would set for OLTP on Linux: to compare with.

Nothing here is rendered. pgtune knows PostgreSQL alone: it takes the host's whole memory, a connection count
that somebody has to know, and no disk size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KIB = 1024
MIB_KB = 1024
GIB_KB = 1024 * 1024
SIXTEEN, THIRTY_TWO = 16, 32  # vCPUs where its rules step
PARALLEL_FROM = 4
WORKERS = 8  # max_worker_processes of the server, where pgtune does not set it
IO_CONCURRENCY: Mapping[str, int] = {"hdd": 2, "ssd": 200, "nvme": 1000}


def rules(memory_bytes: int, vcpu: int, kind: str, connections: int, version: int) -> dict[str, str]:
    """Return pgtune's lines for a host, as its page shows them. `kind` is hdd, ssd or nvme."""
    memory = memory_bytes // KIB
    buffers = memory // 4
    maintenance = min(memory // 16, 8 * GIB_KB)
    workers = vcpu if vcpu >= PARALLEL_FROM else WORKERS
    found = {
        "max_connections": str(connections),
        "shared_buffers": _kb(buffers),
        "effective_cache_size": _kb(memory * 3 // 4),
        "maintenance_work_mem": _kb(maintenance),
        "work_mem": _kb(max((memory - buffers) // ((connections + workers) * 3), 4 * MIB_KB)),
        "wal_buffers": _kb(_wal_buffers(buffers)),
        "min_wal_size": "2GB",
        "max_wal_size": "8GB",
        "checkpoint_completion_target": "0.9",
        "default_statistics_target": "100",
        "random_page_cost": "4" if kind == "hdd" else "1.1",
        "effective_io_concurrency": str(IO_CONCURRENCY.get(kind, 200)),
        "huge_pages": "try" if buffers >= 2 * GIB_KB else "off",
        "jit": "off",
        "wal_compression": "lz4",
    }
    if maintenance >= 2 * GIB_KB:
        found["autovacuum_work_mem"] = "2GB"
    if vcpu >= SIXTEEN:
        found["autovacuum_max_workers"] = "5" if vcpu >= THIRTY_TWO else "4"
    if version >= 18:  # noqa: PLR2004  # the first with asynchronous reads
        found["io_method"] = "io_uring"
    return found


def _wal_buffers(buffers_kb: int) -> int:
    """Three percent of shared_buffers, at most 16 MB, rounded up to it from 14 MB on."""
    found = min(buffers_kb * 3 // 100, 16 * MIB_KB)
    return 16 * MIB_KB if found > 14 * MIB_KB else max(found, 32)


def _kb(size: int) -> str:
    for unit, each in (("GB", GIB_KB), ("MB", MIB_KB)):
        if size % each == 0:
            return f"{size // each}{unit}"
    return f"{size}kB"
