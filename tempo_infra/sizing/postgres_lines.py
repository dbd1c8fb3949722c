"""The lines of postgresql.conf: one table of rules, a line of it a parameter. Sizes are MB = MiB.

A parameter that a major version does not know is left out for it, so a new one needs nothing but its line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tempo_infra.components.postgresql import POSTGRESQL
from tempo_infra.inventory import parameters
from tempo_infra.sizing.postgres import (
    RESERVED,
    autovacuum_bytes,
    autovacuum_workers,
    maintenance_bytes,
    shared_buffers_bytes,
    work_mem_bytes,
)
from tempo_infra.sizing.settings import GIB, MIB, Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.inventory.cluster import Host, Resources, Value

MANUAL = "https://www.postgresql.org/docs/current/runtime-config.html"
DURABLE = "Temporal takes an acknowledged write for durable"
SOLID = frozenset({"nvme", "ssd"})
HUGE_PAGES_FROM = 8 * GIB
MOST_WAL_MIB, LEAST_WAL_MIB = 16 * 1024, 512


@dataclass(frozen=True, slots=True)
class Given:
    """What the rules start from."""

    limit_bytes: int  # PostgreSQL's share of the host
    resources: Resources
    host: Host | None = None
    own_network: bool = True  # its container's; else it is its host's

    @property
    def kind(self) -> str:
        return self.resources.disk.kind

    @property
    def share(self) -> str:
        return f"of PostgreSQL's {self.limit_bytes // MIB} MiB"

    @property
    def max_wal_mib(self) -> int:
        """A tenth of the disk in whole segments of 64 MiB."""
        tenth = self.resources.disk.size_bytes // MIB // 10
        return max(min(tenth, MOST_WAL_MIB) // 64 * 64, LEAST_WAL_MIB)

    def inputs(self, of: str) -> str:
        """Say what a rule read: `of` is some of "m" memory, "c" vCPUs, "d" disk."""
        name = f"{self.host.name}: " if self.host else ""
        date = f" (measured {self.resources.measured})" if self.resources.measured else ""
        gib, share = self.resources.memory_bytes / GIB, self.limit_bytes / GIB
        size = self.resources.disk.size_bytes / GIB
        said = {
            "m": f"{name}{gib:.4g} GiB{date}, PostgreSQL's share {share:.4g} GiB",
            "c": f"{self.resources.vcpu} vCPU",
            "d": f"{name}{self.kind} disk of {size:.4g} GiB{date}",
        }
        return "; ".join(said[letter] for letter in of)


Word: TypeAlias = "str | Callable[[Given], str]"


@dataclass(frozen=True, slots=True)
class Rule:
    """One parameter: its value, or how it follows from what is given; why; and what it was read from."""

    name: str
    value: Value | Callable[[Given], Value]
    unit: str
    reason: Word
    of: str = ""

    def setting(self, given: Given) -> Setting:
        value = self.value(given) if callable(self.value) else self.value
        reason = self.reason(given) if callable(self.reason) else self.reason
        return Setting(self.name, value, self.unit, reason, MANUAL, given.inputs(self.of))


def _listen(given: Given) -> str:
    return given.host.internal if given.host and not given.own_network else "*"


def _why_listen(given: Given) -> str:
    inside = "inside the container; published on the internal address only"
    return inside if given.own_network else "the internal address only"


def _huge_pages(given: Given) -> str:
    return "try" if shared_buffers_bytes(given.limit_bytes) >= HUGE_PAGES_FROM else "off"


def _for_disk(given: Given) -> str:
    return f"for a disk of kind {given.kind}"


CLIENTS: tuple[Rule, ...] = (
    Rule("superuser_reserved_connections", RESERVED, "", "a way in when all pools are full"),
    Rule("password_encryption", "scram-sha-256", "", "never md5"),
    Rule("tcp_keepalives_idle", 5, "s", "the locks of a host that vanished are free after about 11 s"),
    Rule("tcp_keepalives_interval", 2, "s", "between the questions to a silent client"),
    Rule("tcp_keepalives_count", 3, "", "so many unanswered and the connection ends"),
    Rule("tcp_user_timeout", 10, "s", "the same for a host that vanished while it was sent something"),
    Rule("idle_in_transaction_session_timeout", 5, "min", "a stuck client must not hold shard locks"),
)
MEMORY: tuple[Rule, ...] = (
    Rule(
        "shared_buffers",
        lambda g: shared_buffers_bytes(g.limit_bytes) // MIB,
        "MB",
        lambda g: f"a quarter {g.share}",
        "m",
    ),
    Rule(
        "effective_cache_size",
        lambda g: g.limit_bytes * 3 // 4 // MIB,
        "MB",
        lambda g: f"three quarters {g.share}; a planner's guess",
        "m",
    ),
    Rule(
        "work_mem",
        lambda g: work_mem_bytes(g.limit_bytes) // MIB,
        "MB",
        "Temporal's statements sort little",
        "m",
    ),
    Rule(
        "maintenance_work_mem",
        lambda g: maintenance_bytes(g.limit_bytes) // MIB,
        "MB",
        lambda g: f"a sixteenth {g.share}",
        "m",
    ),
    Rule(
        "huge_pages",
        _huge_pages,
        "",
        "off below 8 GB of shared_buffers; try falls back when none are reserved",
        "m",
    ),
    Rule("dynamic_shared_memory_type", "posix", "", "in /dev/shm, whose size the compose file sets", "m"),
)
WAL: tuple[Rule, ...] = (
    Rule(
        "max_wal_size",
        lambda g: g.max_wal_mib,
        "MB",
        "a tenth of the disk, which it shares with the data; at most 16 GB",
        "d",
    ),
    Rule(
        "min_wal_size",
        lambda g: g.max_wal_mib // 4,
        "MB",
        "a quarter of max_wal_size: segments are recycled, not made",
        "d",
    ),
    Rule("checkpoint_timeout", 15, "min", "fewer full-page images; recovery reads at most this much WAL"),
    Rule("checkpoint_completion_target", 0.9, "", "spreads the writes of a checkpoint"),
    Rule("wal_compression", "lz4", "", "a third less WAL for Temporal's writes"),
    Rule("wal_buffers", 16, "MB", "one segment; more brought nothing"),
)
DURABILITY: tuple[Rule, ...] = (
    Rule("fsync", "on", "", DURABLE),
    Rule("full_page_writes", "on", "", "torn pages after a power cut"),
    Rule("synchronous_commit", "on", "", DURABLE),
)
VACUUM: tuple[Rule, ...] = (
    Rule(
        "autovacuum_max_workers",
        lambda g: autovacuum_workers(g.resources.vcpu),
        "",
        "Temporal has a dozen busy tables",
        "c",
    ),
    Rule("autovacuum_naptime", 15, "s", "queue tables turn over in minutes"),
    Rule("autovacuum_vacuum_cost_limit", lambda g: 2000 if g.kind in SOLID else 1000, "", _for_disk, "d"),
    Rule(
        "autovacuum_work_mem",
        lambda g: autovacuum_bytes(g.limit_bytes) // MIB,
        "MB",
        "a worker's; half of maintenance_work_mem",
        "m",
    ),
)
PLANNER: tuple[Rule, ...] = (
    Rule("random_page_cost", lambda g: 4.0 if g.kind == "hdd" else 1.1, "", _for_disk, "d"),
    Rule(
        "effective_io_concurrency",
        lambda g: 2 if g.kind == "hdd" else 200,
        "",
        "reads that the disk does at once",
        "d",
    ),
    Rule("jit", "off", "", "short statements: compiling costs more than it saves"),
    Rule("io_method", "worker", "", "Docker's seccomp profile refuses io_uring"),
)
OPERATIONS: tuple[Rule, ...] = (
    Rule("track_io_timing", "on", "", "where the time goes"),
    Rule("track_wal_io_timing", "on", "", "the fsync latency that counts, from the server's own counters"),
    Rule("log_checkpoints", "on", "", "requested ones mean max_wal_size is too small"),
    Rule("log_lock_waits", "on", "", "contention on shard rows"),
    Rule("log_autovacuum_min_duration", 10, "s", "bloat shows here first"),
    Rule("log_min_duration_statement", 1, "s", "statements of Temporal take milliseconds"),
    Rule("log_line_prefix", "%m [%p] %q%u@%d %h ", "", "who and from where"),
    Rule("log_timezone", "UTC", "", "the same on every host"),
    Rule("timezone", "UTC", "", "Temporal stores UTC"),
)
ADDRESS: tuple[Rule, ...] = (
    Rule("listen_addresses", _listen, "", _why_listen),
    Rule("port", POSTGRESQL.at("sql"), "", "the same on every host"),
    Rule("unix_socket_directories", "/var/run/postgresql", "", "a tmpfs of the container"),
)
RULES = (*CLIENTS, *MEMORY, *WAL, *DURABILITY, *VACUUM, *PLANNER, *OPERATIONS)


def postgresql(given: Given, connections: Setting, version: str) -> tuple[Setting, ...]:
    """Return the lines of postgresql.conf, grouped by subject; only what that major version knows.

    `connections` is max_connections: the sum of all pools, no rule of one host.
    """
    address = (rule.setting(given) for rule in ADDRESS)
    found = (*address, connections, *(rule.setting(given) for rule in RULES))
    known = parameters.postgresql(int(version))
    return tuple(setting for setting in found if setting.name in known)
