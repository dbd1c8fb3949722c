"""How many huge pages PostgreSQL's shared memory takes, from a formula that never falls short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory import parameters
from tempo_infra.sizing.settings import MIB, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_BYTES = 2 * MIB
BUFFER_SHARE = 1.024  # shared_buffers with their headers, hash table and checkpoint list; measured 1.022
CONNECTION_BYTES = 72 * 1024  # slots and locks of a connection; measured 44 to 60 KiB with 64 locks each
LOCK_BYTES = 600  # of one slot beyond the 64 that CONNECTION_BYTES holds
LOCKS = 64
BASE_BYTES = 28 * MIB  # caches of transaction state, replication slots, statistics
AIO_BYTES = 24 * MIB  # 18 and newer: handles of asynchronous reads and writes
AIO_FROM = 18
SOURCE = "postgres -C shared_memory_size_in_huge_pages"


def pages(version: int, values: Mapping[str, str]) -> int:
    """Return the pages of 2 MiB for these lines of postgresql.conf, rounded up.

    At least what `postgres -C shared_memory_size_in_huge_pages` says, and at most 1 % + 36 pages more.
    """

    def number(name: str) -> float:
        default = parameters.postgresql(version)[name].default
        return parameters.in_base(version, name, values.get(name, default))

    connections = number("max_connections") + number("autovacuum_max_workers") + number("max_wal_senders")
    locks = max(number("max_locks_per_transaction") - LOCKS, 0)
    buffers = number("shared_buffers")
    wal = number("wal_buffers")
    total = (
        buffers * BUFFER_SHARE
        + (wal if wal > 0 else 16 * MIB)
        + connections * (CONNECTION_BYTES + locks * LOCK_BYTES)
        + BASE_BYTES
        + (AIO_BYTES if version >= AIO_FROM else 0)
    )
    return -(-int(total) // PAGE_BYTES)


def reservation(version: int, values: Mapping[str, str]) -> Setting | None:
    """Return vm.nr_hugepages, or None where PostgreSQL asks for no huge pages."""
    if parameters.BOOLEANS.get(values.get("huge_pages", "off"), values.get("huge_pages")) == "off":
        return None
    count = pages(version, values)
    reason = f"{count * PAGE_BYTES // MIB} MiB of PostgreSQL's shared memory, reserved before it starts"
    inputs = f"shared_buffers {values['shared_buffers']}, max_connections {values['max_connections']}"
    return Setting("vm.nr_hugepages", count, "", reason, SOURCE, inputs)


def reserved_bytes(sysctl: tuple[Setting, ...]) -> int:
    """Return what these kernel settings take from the host's memory."""
    return sum(int(one.text) for one in sysctl if one.name == "vm.nr_hugepages") * PAGE_BYTES
