"""What may stand in the place of a sized value: judged against what each version knows, value by value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.inventory import dynamic_config, outward, parameters, widening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.inventory.cluster import Value

RISK = "synchronous-commit-off"
KERNEL_RISK, OLDER_RISK = "kernel-settings", "older-temporal"
MOST_ID = 255  # characters of Temporal's VARCHAR columns

LOSES: Mapping[str, tuple[frozenset[str], str]] = {
    "fsync": (frozenset({"off"}), "a crash of the host corrupts the database"),
    "full_page_writes": (frozenset({"off"}), "a power cut tears pages, and nothing can mend them"),
    "zero_damaged_pages": (frozenset({"on"}), "damaged pages are emptied in silence"),
    "ignore_checksum_failure": (frozenset({"on"}), "damaged pages are read as if they were whole"),
    "ignore_invalid_pages": (frozenset({"on"}), "recovery goes on past damage"),
    "data_sync_retry": (
        frozenset({"on"}),
        "a failed flush may be taken for a good one when it is tried again",
    ),
    "autovacuum": (frozenset({"off"}), "tables bloat until transaction ids run out and writes stop"),
    "track_counts": (frozenset({"off"}), "autovacuum does nothing without it"),
    "password_encryption": (frozenset({"md5"}), "md5 hashes can be used to log in by whoever reads one"),
}
"""Values that lose data or open the door: refused, whatever is accepted."""

KEEPS_NOTHING = frozenset({"/bin/true", "/usr/bin/true", "true", ":", "exit"})
"""First words of an archive_command that throws the log away and says that it is kept."""

OURS = frozenset(
    {
        *("listen_addresses", "port", "unix_socket_directories", "dynamic_shared_memory_type"),
        *("data_directory", "config_file", "hba_file", "ident_file", "external_pid_file"),
    }
)
"""Other files depend on these."""

SYSCTL: Mapping[str, tuple[int, int]] = {
    "vm.swappiness": (0, 200),
    "vm.dirty_background_bytes": (4096, 2**40),
    "vm.dirty_bytes": (8192, 2**40),
    "vm.dirty_expire_centisecs": (0, 360_000),
    "vm.dirty_writeback_centisecs": (0, 360_000),
    "vm.overcommit_memory": (0, 2),
    "vm.overcommit_ratio": (0, 1000),
    "vm.nr_hugepages": (0, 2**24),
    "vm.nr_overcommit_hugepages": (0, 2**24),
    "vm.max_map_count": (65_530, 2**31 - 1),
    "vm.min_free_kbytes": (1024, 2**24),
    "vm.vfs_cache_pressure": (1, 1000),
    "vm.zone_reclaim_mode": (0, 0),
    "fs.file-max": (65_536, 2**63 - 1),
    "fs.nr_open": (65_536, 2**30),
    "fs.aio-max-nr": (65_536, 2**31 - 1),
    "fs.inotify.max_user_instances": (128, 2**20),
    "fs.inotify.max_user_watches": (8192, 2**30),
    "kernel.pid_max": (32_768, 4_194_304),
    "kernel.threads-max": (4096, 2**30),
    "net.core.somaxconn": (128, 65_535),
    "net.core.netdev_max_backlog": (128, 2**20),
    "net.core.rmem_max": (4096, 2**30),
    "net.core.wmem_max": (4096, 2**30),
    "net.ipv4.tcp_max_syn_backlog": (128, 2**20),
    "net.ipv4.tcp_keepalive_time": (10, 7200),
    "net.ipv4.tcp_keepalive_intvl": (1, 75),
    "net.ipv4.tcp_keepalive_probes": (1, 20),
    "net.ipv4.tcp_slow_start_after_idle": (0, 1),
    "net.ipv4.tcp_fin_timeout": (5, 120),
    "net.ipv4.ip_local_port_range": (1024, 65_535),  # two of them
}
"""Kernel settings that may be set here, with the range that keeps a host reachable and its services alive."""
PAIRS = frozenset({"net.ipv4.ip_local_port_range"})


_NUMBER = re.compile(r"[0-9]{1,19}")

SECTIONS = ("postgresql", "sysctl", "temporal")


@dataclass(frozen=True, slots=True)
class Known:
    """What values are judged by. An empty version could not be read: nothing is said about its values."""

    postgresql: str = ""
    temporal: str = ""
    accept: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()  # that PostgreSQL loads


def why_not(known: Known, section: str, name: str, value: Value) -> Iterator[str]:
    """Yield what speaks against a value of a section."""
    if section == "postgresql" and known.postgresql:
        yield from _postgresql(known, canonical(known.temporal, section, name), value)
    elif section == "sysctl":
        yield from _sysctl(name, value)
    elif section == "temporal" and known.temporal:
        yield from _temporal(known, canonical(known.temporal, section, name), value)


def canonical(temporal: str, section: str, name: str) -> str:
    """Return a name as its server writes it, for this version of Temporal: both servers take any letters."""
    if section == "postgresql":
        return name.casefold()
    return dynamic_config.canonical(temporal, name) if section == "temporal" else name


def text_of(value: Value) -> str:
    """Return a value as postgresql.conf writes it."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _postgresql(known: Known, name: str, value: Value) -> Iterator[str]:
    if name in OURS:
        yield "can't be set: other files depend on it"
        return
    try:
        text = parameters.checked(int(known.postgresql), name, text_of(value), known.libraries)
    except ValueError as error:
        yield str(error)
        return
    if why := loses(name, text):
        yield f"{text or 'nothing'} is refused: {why}"
    if outward.is_outward(int(known.postgresql), name, text) and outward.RISK not in known.accept:
        yield f"{outward.WHAT}; if that is meant: accept: [{outward.RISK}]"
    if widening.by_parameter(int(known.postgresql), name, text) and widening.RISK not in known.accept:
        yield f"{widening.WHAT}; if that is meant: accept: [{widening.RISK}]"
    if name == "synchronous_commit" and is_off(text) and RISK not in known.accept:
        yield f"off loses steps that Temporal was told are done; if that is meant: accept: [{RISK}]"


def loses(name: str, text: str) -> str:
    """Return why this value of postgresql.conf loses data or opens the door; "" when it does not."""
    name = name.casefold()
    if name == "archive_command":
        first = text.split(maxsplit=1)[:1]
        return (
            ""
            if first and first[0] not in KEEPS_NOTHING
            else "it throws the log away and says that it is kept"
        )
    words, why = LOSES.get(name, (frozenset(), ""))
    return why if text in words else ""


def _sysctl(name: str, value: Value) -> Iterator[str]:
    if name not in SYSCTL:
        yield f"is not a kernel setting that can be set here; known are {', '.join(sorted(SYSCTL))}"
        return
    low, high = SYSCTL[name]
    words = re.split(r"[ \t]+", text_of(value))
    if len(words) != (2 if name in PAIRS else 1) or not all(_NUMBER.fullmatch(word) for word in words):
        yield "must be two whole numbers" if name in PAIRS else "must be a whole number"
    elif not all(low <= int(word) <= high for word in words):
        yield f"must be between {low} and {high}"


def _temporal(known: Known, name: str, value: Value) -> Iterator[str]:
    try:
        dynamic_config.checked(known.temporal, name, value)
    except ValueError as error:
        yield str(error)
        return
    if outward.is_outward_key(name, value) and outward.RISK not in known.accept:
        yield f"{outward.WHAT}; if that is meant: accept: [{outward.RISK}]"
    if widening.by_key(known.temporal, name, value) and widening.RISK not in known.accept:
        yield f"{widening.WHAT}; if that is meant: accept: [{widening.RISK}]"
    if name == "limit.maxIDLength" and isinstance(value, int) and value > MOST_ID:
        yield f"must be at most {MOST_ID}: the columns hold no more"


KEEPS_ALL = "keeps the whole log until the disk is full; an archive_command or archive_library takes it away"


def keeps_all(values: Mapping[str, str]) -> bool:
    """Whether PostgreSQL would keep its whole log by these values, for an archive that nobody makes."""
    taken = {name.casefold(): text for name, text in values.items()}
    takes = taken.get("archive_command") or taken.get("archive_library")
    return not is_off(taken.get("archive_mode", "off")) and not takes


def is_off(text: str) -> bool:
    return parameters.BOOLEANS.get(text.casefold(), text) == "off"
