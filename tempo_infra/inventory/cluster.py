"""What the operator asked for, as frozen values: the result of loading an inventory."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.errors import InputError
from tempo_infra.inventory.addresses import split_port
from tempo_infra.inventory.logins import Login

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tempo_infra.inventory.problems import Loc, Mark

Value = str | int | float | bool


if TYPE_CHECKING:

    class Role(StrEnum):
        """What a host runs: a component that is no job. Named here are those that code asks for by name."""

        POSTGRESQL = "postgresql"
        HISTORY = "history"
        MATCHING = "matching"
        WORKER = "worker"
        FRONTEND = "frontend"
        UI = "ui"

else:  # the table's, in its order: in that they start
    _ROLES = [one.name for one in components.COMPONENTS if not one.is_job]
    Role = StrEnum("Role", {name.upper().replace("-", "_"): name for name in _ROLES}, module=__name__)


SCHEMA_S, SCHEMA_S_PER_GB = 300.0, 100.0
TEMPORAL_ROLES = tuple(Role(one.name) for one in components.COMPONENTS if one.kind == "temporal")


@dataclass(frozen=True, slots=True)
class Disk:
    kind: str  # "nvme", "ssd", "hdd" or "unknown": the provider's word, evidence only
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Resources:
    """What the host has, as declared or as `inventory measure` read it."""

    vcpu: int
    memory_bytes: int
    disk: Disk
    measured: str | None = None  # date of the measurement, "2026-11-20"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on a host, and when. None: not measured."""

    date: str  # "2026-11-20"
    fsync_p50_ms: float | None = None
    fsync_p99_ms: float | None = None
    rtt_ms: float | None = None  # to the database host


@dataclass(frozen=True, slots=True)
class Overrides:
    """Values that the operator sets instead of the sized ones, as written; sizing judges them."""

    postgresql: Mapping[str, Value] = field(default_factory=dict)
    sysctl: Mapping[str, Value] = field(default_factory=dict)
    temporal: Mapping[str, Value] = field(default_factory=dict)  # keys of dynamic configuration
    pools: Mapping[str, int] = field(default_factory=dict)  # maxConns of the main store, by role
    memory: Mapping[str, int] = field(default_factory=dict)  # bytes, by container


@dataclass(frozen=True, slots=True)
class InstanceClass:
    """A profile: what a host is for, what it must meet, where its tuning leans."""

    name: str  # "C-Series"
    purpose: str
    leans: str  # "cpu", "io" or "memory"
    thresholds: Mapping[str, float]  # e.g. {"fsync_p50_ms": 1.0, "fsync_p99_ms": 10.0, "steal_percent": 2.0}


class SshTransport(StrEnum):
    """What speaks ssh to a host: the built-in library, or this machine's own `ssh`."""

    PARAMIKO = "paramiko"
    OPENSSH = "openssh"


@dataclass(frozen=True, slots=True)
class Ssh:
    """How a host is reached."""

    address: str  # host name, address or an alias of ~/.ssh/config
    user: str
    port: int
    keys: tuple[Path, ...]
    known_hosts: Path
    proxy_jump: str | None = None
    transport: SshTransport = SshTransport.PARAMIKO


_NAME = re.compile(r"[\w.-]+")


def _known_hosts() -> Path:
    return Path.home() / ".ssh/known_hosts"


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    ssh: Ssh
    internal: str  # IP literal that the cluster's services bind and announce
    instance_class: InstanceClass
    resources: Resources
    roles: tuple[Role, ...]  # in start order
    labels: Mapping[str, str]
    measured: Measured | None = None
    overrides: Overrides = field(default_factory=Overrides)
    subnet: str = ""  # of its containers; empty: the cluster's

    @classmethod
    def without_inventory(cls, target: str, instance_class: InstanceClass) -> Host:
        """Return a host known only by `user@host` or `user@host:port`; InputError when it is neither.

        Its roles, internal address and resources are not known; the user's own known_hosts counts.
        """
        user, at, place = target.rpartition("@")
        try:
            address, port = split_port(place)
        except ValueError:
            address, port = "", None
        named = ":" in address or (_NAME.fullmatch(address) and not address.startswith("-"))
        if not named or (at and not _NAME.fullmatch(user)):
            raise InputError(
                f"{target!r} is no host", remedy="write user@host, user@host:port or user@[IPv6]:port"
            )
        ssh = Ssh(address, user or getpass.getuser(), port or 22, (), _known_hosts())
        return cls(target, ssh, "", instance_class, Resources(0, 0, Disk("unknown", 0)), (), {})

    def has(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)

    @property
    def label_words(self) -> str:
        """The labels on one line: `owner=kari, rack=b2`."""
        return ", ".join(f"{name}={value}" for name, value in sorted(self.labels.items()))

    @property
    def temporal_roles(self) -> tuple[Role, ...]:
        return tuple(role for role in self.roles if role in TEMPORAL_ROLES)


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str
    retention_hours: int


@dataclass(frozen=True, slots=True)
class Temporal:
    version: str
    ui_version: str
    shards: int
    namespaces: tuple[Namespace, ...]
    pollers: int | None = None  # long polls of all workers together; None: not said
    http_api: bool = False  # frontends answer HTTP as well


@dataclass(frozen=True, slots=True)
class Postgres:
    version: str  # the major: "17"


class ImageSource(StrEnum):
    """How a host gets an image."""

    REGISTRY = "registry"  # it pulls
    SSH = "ssh"  # this machine brings it


TAG_DIGITS = 12  # of an image's content, in its tag


def image_names(
    roles: Iterable[str], versions: Mapping[str, str], options: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the images of what hosts of these roles carry, and of what every cluster has, sorted.

    `versions`: "temporal", "postgres" and "ui", as the inventory says them; `options`: as Cluster.options.
    """
    needed = (one.name for one in components.COMPONENTS if one.least)
    carried = components.of_roles({*roles, *needed})
    return tuple(sorted({one.having(options).image.format_map(versions) for one in carried}))


@dataclass(frozen=True, slots=True)
class Images:
    """Where images come from. References are `[registry/]name:tag[@digest]`.

    Of an image that is brought by ssh the tag itself names the content, `name:tag-3776ab0c91de`: no digest
    that may stand in a reference is the same on all engines, the configuration's is.
    """

    registry: str  # "" for the default registry, else "registry.lab:5000"
    digests: Mapping[str, str]  # "temporalio/server:1.31.2" -> "sha256:…"
    ca_file: Path | None = None  # the registry's certificate authority, where it is a private one
    source: ImageSource = ImageSource.REGISTRY  # of images that `sources` does not name
    sources: Mapping[str, ImageSource] = field(default_factory=dict)  # by name without tag: "temporalio/ui"
    archives: tuple[Path, ...] = ()  # what `docker save` wrote, on this machine

    def is_brought(self, name_and_tag: str) -> bool:
        """Whether this machine brings an image to the hosts, which pull no such image."""
        return self.sources.get(name_and_tag.rpartition(":")[0], self.source) is ImageSource.SSH

    def content(self, name_and_tag: str) -> str:
        """Return the digest of a brought image's configuration; empty for others, and for none."""
        return self.digests.get(name_and_tag, "") if self.is_brought(name_and_tag) else ""

    def reference(self, name_and_tag: str) -> str:
        digest = self.digests.get(name_and_tag)
        if self.is_brought(name_and_tag):
            short = (digest or "").removeprefix("sha256:")[:TAG_DIGITS]
            return f"{name_and_tag}-{short}" if short else name_and_tag
        prefix = f"{self.registry}/" if self.registry else ""
        return f"{prefix}{name_and_tag}" + (f"@{digest}" if digest else "")


@dataclass(frozen=True, slots=True)
class SecretsFile:
    path: Path  # age-encrypted, beside the inventory
    recipients: tuple[str, ...]  # "age1…" or "ssh-ed25519 …"
    login: Login = Login.BLUE  # which of the two database logins the services use


@dataclass(frozen=True, slots=True)
class Repository:
    """Where backups and the log lie, on another machine, which is reached by SFTP."""

    host: str  # a name or an address, as the database's container reaches it
    port: int
    user: str
    path: str  # as that user sees it
    fingerprint: str  # sha256 of its host key, 64 hexadecimal digits
    country: str
    provider: str


@dataclass(frozen=True, slots=True)
class Backup:
    """How the database is backed up."""

    repositories: tuple[Repository, ...]  # one or two
    rpo_s: int  # so much of the newest work may be lost
    keep_days: int
    at: str  # "02:30", UTC, each day
    full_days: int  # after so many days a full backup, incremental ones between


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a change waits before it is kept or taken back. It is no part of what is rendered."""

    decide_after_s: float = 60.0  # silence after which a switched host decides by itself
    soak_s: float = 10.0  # how long containers that were recreated must stay healthy before they are kept
    migrate_s: float = 0.0  # how long a change of the schema may take; 0: by the size of the databases

    def schema_s(self, data_bytes: int) -> float:
        """Return how long the schema's job may take.

        Measured on two shared cores: 26 s a GB of table and indexes, where each row is rewritten and each
        index recreated (1.13 to 1.14 of visibility). A slow disk may need four times that.
        """
        return self.migrate_s or SCHEMA_S + SCHEMA_S_PER_GB * data_bytes / 1e9


@dataclass(frozen=True, slots=True)
class Cluster:
    """An inventory, validated."""

    path: Path  # the inventory file
    name: str
    country: str
    provider: str
    temporal: Temporal
    postgres: Postgres
    images: Images
    nofile: int
    accept: frozenset[str]  # ids of accepted risks
    secrets: SecretsFile
    hosts: tuple[Host, ...]  # in the order of the file
    overrides: Overrides = field(default_factory=Overrides)  # of every host; a host's own come first
    timing: Timing = field(default_factory=Timing)
    network: str = "bridge"  # or "host": services in the network namespace of their host
    subnet: str = ""  # of each host's containers, "172.30.0.0/24"; empty: `subnets.of_host` chooses
    backup: Backup | None = None
    digest: str = field(default="", compare=False)  # sha256 of the file's text
    elsewhere: tuple[str, ...] = ()  # keys that name files outside of its folder, as accepted
    marks: Mapping[Loc, Mark] = field(default_factory=dict, compare=False, repr=False)  # where values stand

    def place(self, *loc: str | int) -> str:
        """Return `oslo.yaml:31:22` for a value of the file, or for the nearest section around it."""
        for length in range(len(loc), 0, -1):
            if mark := self.marks.get(loc[:length]):
                return f"{self.path}:{mark.line}:{mark.column}"
        return str(self.path)

    def host(self, name: str) -> Host:
        """Return the host of that name; InputError when the inventory has none."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise InputError(f"no host {name!r} in {self.path}", remedy=f"it has: {known}")

    def with_role(self, *roles: Role) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.has(*roles))

    @property
    def shares_network(self) -> bool:
        """Whether PostgreSQL and Temporal's services use their host's own network."""
        return self.network == "host"

    @property
    def image_names(self) -> tuple[str, ...]:
        """The images that this cluster runs, as `images.digests` names them, sorted."""
        return image_names({role for host in self.hosts for role in host.roles}, self.versions, self.options)

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions that images are chosen by."""
        return {
            "temporal": self.temporal.version,
            "postgres": self.postgres.version,
            "ui": self.temporal.ui_version,
        }

    @property
    def options(self) -> frozenset[str]:
        """What is there only where the inventory asks for it, and is asked for here."""
        asked = {"http_api": self.temporal.http_api, "backup": self.backup is not None}
        return frozenset(name for name, wanted in asked.items() if wanted)

    @property
    def floating(self) -> tuple[str, ...]:
        """Those of its images that no digest pins: what they stand for may change."""
        return tuple(name for name in self.image_names if name not in self.images.digests)

    @property
    def brought(self) -> tuple[str, ...]:
        """Those of its images that are brought by ssh."""
        return tuple(name for name in self.image_names if self.images.is_brought(name))

    def only(self, names: Iterable[str] | None) -> tuple[Host, ...]:
        """Return the hosts named, in the file's order; all when none is named."""
        if not names:
            return self.hosts
        wanted = {self.host(name).name for name in names}
        return tuple(host for host in self.hosts if host.name in wanted)

    def pinned(self, digests: Mapping[str, str]) -> Cluster:
        return replace(self, images=replace(self.images, digests=digests))
