"""What sizing answers with: values with their reasons, per host. Nothing here is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Role

__all__ = ["Container", "HostSettings", "Setting", "Settings", "TemporalSettings", "Value"]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
LOG_MIB, LOG_FILES = 10, 5  # of one container's output


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of one file, and why it is that value."""

    name: str
    value: Value
    unit: str  # PostgreSQL's own ("MB", "min", "s", "ms"), "bytes" and "s" elsewhere, "" for a plain number
    reason: str  # the rule, one line; it stands as a comment in the rendered file
    source: str  # where the rule comes from
    inputs: str = ""  # what the rule was given: "db-1: 32 GiB, container limit 30 GiB"
    instead: tuple[tuple[str, str], ...] = ()  # what others would set: ("pgtune", "8GB")
    written: str = ""  # where the operator set it: "oslo.yaml:31:22"; never rendered
    note: str = ""  # what to know before changing it
    required: bool = False  # the inventory has to give it: it is nobody's override

    @property
    def text(self) -> str:
        """The value as configuration files write it: on/off for booleans, the unit behind the number."""
        if isinstance(self.value, bool):
            return "on" if self.value else "off"
        return f"{self.value}{self.unit}"

    @property
    def overridden(self) -> bool:
        """Whether the operator's value stands in the place of a sized one."""
        return bool(self.written) and not self.required

    @property
    def scalar(self) -> Value:
        """The value as YAML writes it: typed, or with its unit as a string."""
        return f"{self.value}{self.unit}" if self.unit else self.value


DEFAULTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mem_limit": (("article", "none"), ("Docker", "none")),
    "cpus": (("Docker", "no limit"),),
    "pids_limit": (("Docker", "no limit"),),
    "ulimits.nofile": (("Docker", "what its service has: 1024 to 1048576"),),
    "stop_grace_period": (("Docker", "10s"),),
    "logging.max-size": (("Docker", "no end"),),
    "GOMEMLIMIT": (("Go", "none"),),
    "GOGC": (("Go", "100"),),
    "shm_size": (("Docker", "64MiB"),),
}
"""What a container has when nobody says anything."""


@dataclass(frozen=True, slots=True)
class Container:
    """The limits of one container of the compose project. Memory in bytes, times in seconds."""

    name: str  # the compose service: "postgresql", "history", … "schema", "admin-tools"
    role: Role
    memory_bytes: int
    cpus: float
    pids: int
    nofile: int
    stop_grace_s: int
    reason: str  # why the memory is what it is
    inputs: str  # "history-1: 16 GiB, 4 vCPU"
    gomemlimit_bytes: int | None = None  # Go services: where the garbage collector works harder
    gogc: int | None = None  # Temporal's services: percent of garbage before it is collected
    shm_bytes: int | None = None  # PostgreSQL: /dev/shm, counted within memory_bytes
    hugepages_bytes: int = 0  # PostgreSQL: reserved on the host, outside memory_bytes
    written: str = ""  # where the operator set the memory

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The limits as settings, named as in the compose file."""
        compose = "https://docs.docker.com/reference/compose-file/services/"

        def of(name: str, value: Value, unit: str, reason: str) -> Setting:
            others = DEFAULTS.get(name, ())
            return Setting(f"{self.name}.{name}", value, unit, reason, compose, self.inputs, others)

        memory = of("mem_limit", self.memory_bytes // MIB, "MiB", self.reason)
        found = [
            replace(memory, written=self.written),
            of("cpus", self.cpus, "", "the most it may take; shared when others are busy"),
            of("pids_limit", self.pids, "", "more is a leak: it hits the container, not the host"),
            of("ulimits.nofile", self.nofile, "", "limits.nofile of the inventory; soft and hard"),
            of(
                "stop_grace_period",
                self.stop_grace_s,
                "s",
                "longer than it takes to drain; then it is killed",
            ),
            of("logging.max-size", LOG_MIB, "m", f"{LOG_FILES} files of it; Docker's own default has no end"),
        ]
        if self.gomemlimit_bytes:
            reason = "85 % of mem_limit: the collector works harder before the kernel kills"
            found.append(of("GOMEMLIMIT", self.gomemlimit_bytes // MIB, "MiB", reason))
        if self.gogc:
            reason = "fewer collections while memory is free; GOMEMLIMIT bounds what that takes"
            found.append(of("GOGC", self.gogc, "", reason))
        if self.shm_bytes:
            reason = "an eighth of its memory, at most 1 GiB: parallel queries fail in Docker's 64 MiB"
            found.append(of("shm_size", self.shm_bytes // MIB, "MiB", reason))
        return tuple(found)

    job: bool = False  # runs once when asked


@dataclass(frozen=True, slots=True)
class TemporalSettings:
    """One Temporal service on one host: its connection pools and its dynamic configuration."""

    role: Role
    max_conns: int
    visibility_max_conns: int
    plugin: Setting  # of both stores
    dynamic: tuple[Setting, ...]
    written: str = ""  # where the operator set max_conns

    @property
    def connections(self) -> int:
        return self.max_conns + self.visibility_max_conns

    @property
    def pools(self) -> tuple[Setting, ...]:
        """How the service reaches its stores, named as in server.yaml; maxIdleConns is the same number."""
        reason = "the database's memory decides; larger pools than 20+10 measured no gain"
        source = "docs/reference/budgets.md"
        why = "set in the inventory" if self.written else reason
        main = (("article", "20"), ("server default", "20"))
        visibility = (("article", "10"), ("server default", "10"))
        count, lists = self.max_conns, self.visibility_max_conns
        inputs = f"{self.role}: main store {count}, visibility {lists}"
        return (
            self.plugin,
            Setting("default.maxConns", count, "", why, source, inputs, main, self.written),
            Setting("visibility.maxConns", lists, "", reason, source, inputs, visibility),
        )


@dataclass(frozen=True, slots=True)
class HostSettings:
    """All that is sized for one host."""

    host: str
    containers: tuple[Container, ...]  # in start order, jobs last
    temporal: Mapping[Role, TemporalSettings]
    postgresql: tuple[Setting, ...]  # empty where PostgreSQL does not run
    sysctl: tuple[Setting, ...]
    thp: Setting | None  # /sys/kernel/mm/transparent_hugepage/enabled
    nofile: Setting  # limits of logins
    os_reserve_bytes: int  # what stays for the kernel, sshd and the Docker engine
    pgbackrest: tuple[Setting, ...] = ()  # empty without backups, and where PostgreSQL does not run

    def setting(self, name: str) -> Setting | None:
        """Return a line of postgresql.conf, or None."""
        return next((setting for setting in self.postgresql if setting.name == name), None)

    def container(self, name: str) -> Container:
        return next(container for container in self.containers if container.name == name)


@dataclass(frozen=True, slots=True)
class Settings:
    """The sized cluster: one entry a host, in the inventory's order."""

    hosts: tuple[HostSettings, ...]
    shards: int
    max_connections: Setting
    plan_guard: Setting  # a column's storage parameter, applied by SQL
    shard_setting: Setting  # numHistoryShards, with what to weigh
    warnings: tuple[str, ...] = ()  # budgets that are strained, in words
    risks: tuple[str, ...] = ()  # what the operator decided to take, in words

    @property
    def cautions(self) -> tuple[str, ...]:
        """What every plan and explanation says beside its numbers: strained budgets, accepted risks."""
        return (
            *(f"warning: {one}" for one in self.warnings),
            *(f"accepted risk: {one}" for one in self.risks),
        )

    def host(self, name: str) -> HostSettings:
        return next(host for host in self.hosts if host.host == name)
