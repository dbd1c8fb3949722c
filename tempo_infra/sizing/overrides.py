"""What the operator sets instead of the sized values: judged against what each version knows, then put in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from tempo_infra.inventory.addresses import why_not_private
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.problems import Problem, refuse
from tempo_infra.sizing import parameters
from tempo_infra.sizing.settings import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tempo_infra.errors import InputError
    from tempo_infra.inventory.cluster import Cluster, Host, Overrides, Value
    from tempo_infra.inventory.problems import Loc

Section: TypeAlias = Literal["postgresql", "sysctl", "temporal", "pools", "memory"]
RISK = "synchronous-commit-off"
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


@dataclass(frozen=True, slots=True)
class Override:
    value: Value
    loc: Loc


def effective(cluster: Cluster, host: Host, section: Section) -> dict[str, Override]:
    """Return the overrides of one section that hold on a host; its own come before the cluster's."""
    found = {
        name: Override(value, ("overrides", section, name))
        for name, value in getattr(cluster.overrides, section).items()
    }
    own = {
        name: Override(value, ("hosts", host.name, "overrides", section, name))
        for name, value in getattr(host.overrides, section).items()
    }
    return found | own


def text_of(value: Value) -> str:
    """Return a value as postgresql.conf writes it."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def put_in(
    cluster: Cluster, sized: Iterable[Setting], overrides: Mapping[str, Override], source: str
) -> tuple[Setting, ...]:
    """Return the settings with the operator's values in their places, and behind them those nobody sizes."""
    settings = list(sized)
    names = {setting.name for setting in settings}
    replaced = [
        _instead(cluster, setting, overrides[setting.name]) if setting.name in overrides else setting
        for setting in settings
    ]
    added = [
        Setting(name, one.value, "", "set in the inventory", source, written=cluster.place(*one.loc))
        for name, one in sorted(overrides.items())
        if name not in names
    ]
    return (*replaced, *added)


def _instead(cluster: Cluster, setting: Setting, override: Override) -> Setting:
    return replace(
        setting,
        value=override.value,
        unit="",
        reason=f"set in the inventory instead of {setting.text}: {setting.reason}",
        instead=(("sized", setting.text), *setting.instead),
        written=cluster.place(*override.loc),
    )


def check(cluster: Cluster) -> None:
    """Raise InputError with every override that can't be, in the form of the inventory's own errors."""
    problems = [
        Problem(cluster.marks.get(loc), loc, what)
        for loc, what in (*_of(cluster, cluster.overrides, (), None), *_of_hosts(cluster))
    ]
    if problems:
        raise refusal(cluster, problems)


def refusal(cluster: Cluster, problems: list[Problem]) -> InputError:
    return refuse(cluster.path, problems)


def risks(cluster: Cluster) -> tuple[str, ...]:
    """Return the accepted risks that are really taken, one line each, for a plan to show."""
    taken = []
    setting = effective(cluster, cluster.database_host, "postgresql").get("synchronous_commit")
    if setting is not None and _is_off(text_of(setting.value)):
        taken.append(
            f"{RISK}: steps that Temporal was told are done are lost when {cluster.database_host.name} fails"
            f" ({cluster.place(*setting.loc)})"
        )
    if cluster.shares_network:
        taken.append(
            "host-network: services can bind any address of their host and reach its loopback, and rules for"
            f" containers in the firewall don't hold for them ({cluster.place('network')})"
        )
    if cluster.floating and "floating-images" in cluster.accept:
        taken.append(
            f"floating-images: {', '.join(cluster.floating)} may be another content with the next pull"
            f" ({cluster.place('images', 'digests')})"
        )
    for host in cluster.hosts:
        if why := why_not_private(host.internal):  # loading refuses it where it is not accepted
            place = cluster.place("hosts", host.name, "internal")
            taken.append(f"public-internal: {why}, and nothing protects the ports there ({place})")
    for key in cluster.elsewhere:
        place = cluster.place(*key.split("."))
        taken.append(f"files-elsewhere: {key} names a file outside of the inventory's folder ({place})")
    return tuple(taken)


def _of_hosts(cluster: Cluster) -> Iterator[tuple[Loc, str]]:
    for host in cluster.hosts:
        yield from _of(cluster, host.overrides, ("hosts", host.name), host)


def _of(cluster: Cluster, overrides: Overrides, at: Loc, host: Host | None) -> Iterator[tuple[Loc, str]]:
    loc: Loc = (*at, "overrides")
    for name, value in overrides.postgresql.items():
        yield from (((*loc, "postgresql", name), what) for what in postgresql_problems(cluster, name, value))
    for name, value in overrides.sysctl.items():
        yield from (((*loc, "sysctl", name), what) for what in sysctl_problems(name, value))
    for name, value in overrides.temporal.items():
        yield from (((*loc, "temporal", name), what) for what in temporal_problems(name, value))
    if host is not None:
        yield from _not_there(cluster, overrides, loc, host)


def postgresql_problems(cluster: Cluster, name: str, value: Value) -> Iterator[str]:
    if name in OURS:
        yield "can't be set: other files depend on it"
        return
    try:
        text = parameters.checked(int(cluster.postgres.version), name, text_of(value))
    except ValueError as error:
        yield str(error)
        return
    if name != name.casefold():
        yield f"write it in small letters: {name.casefold()}"
    if why := loses(name, text):
        yield f"{text or 'nothing'} is refused: {why}"
    if name == "synchronous_commit" and _is_off(text) and RISK not in cluster.accept:
        yield f"off loses steps that Temporal was told are done; if that is meant: accept: [{RISK}]"


def loses(name: str, text: str) -> str:
    """Return why this value of postgresql.conf loses data or opens the door; "" when it does not."""
    if name == "archive_command":
        first = text.split(maxsplit=1)[:1]
        return (
            ""
            if first and first[0] not in KEEPS_NOTHING
            else "it throws the log away and says that it is kept"
        )
    words, why = LOSES.get(name, (frozenset(), ""))
    return why if text in words else ""


def sysctl_problems(name: str, value: Value) -> Iterator[str]:
    if name not in SYSCTL:
        yield f"is not a kernel setting that can be set here; known are {', '.join(sorted(SYSCTL))}"
        return
    low, high = SYSCTL[name]
    words = text_of(value).split()
    if len(words) != (2 if name in PAIRS else 1) or not all(word.isdecimal() for word in words):
        yield "must be two whole numbers" if name in PAIRS else "must be a whole number"
    elif not all(low <= int(word) <= high for word in words):
        yield f"must be between {low} and {high}"


def temporal_problems(name: str, value: Value) -> Iterator[str]:
    try:
        parameters.checked_dynamic(name, value)
    except ValueError as error:
        yield str(error)
        return
    if name == "limit.maxIDLength" and isinstance(value, int) and value > MOST_ID:
        yield f"must be at most {MOST_ID}: the columns hold no more"


def _not_there(cluster: Cluster, overrides: Overrides, loc: Loc, host: Host) -> Iterator[tuple[Loc, str]]:
    from tempo_infra.sizing.containers import container_names

    if overrides.postgresql and not host.has(Role.POSTGRESQL):
        yield (*loc, "postgresql"), f"{host.name} has no role postgresql"
    if overrides.temporal and not host.temporal_roles:
        yield (*loc, "temporal"), f"{host.name} runs no Temporal service"
    for role in overrides.pools:
        if Role(role) not in host.roles:
            yield (*loc, "pools", role), f"{host.name} has no role {role}"
    for name in overrides.memory:
        if name not in container_names(cluster, host):
            yield (*loc, "memory", name), f"{host.name} runs no {name}"


def _is_off(text: str) -> bool:
    return parameters.BOOLEANS.get(text.casefold(), text) == "off"
