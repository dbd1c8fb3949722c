"""The inventory's shape: strict models, whose descriptions are the reference and the editor's help."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from tempo_infra.inventory import addresses, quantities, subnets, validators
from tempo_infra.inventory.document import WrittenFloat, WrittenInt


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        defer_build=True,  # the whole is validated: its parts need no validators of their own
    )


def _as_written(value: object) -> object:
    """17 and 1.10 are versions here: the text of the file, not the number."""
    return value.text if isinstance(value, WrittenInt | WrittenFloat) else value


def _capacity(text: str) -> str:
    if not quantities.UNITS_BYTES["GiB"] <= quantities.parse_size(text) <= 64 * quantities.UNITS_BYTES["TiB"]:
        raise ValueError("must be between 1GiB and 64TiB")
    return text


def _as_plain(value: object) -> object:
    """Return a number without the memory of how it was written."""
    if isinstance(value, WrittenInt):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value


def _container_memory(text: str) -> str:
    if not 32 * quantities.UNITS_BYTES["MiB"] <= quantities.parse_size(text) <= quantities.UNITS_BYTES["TiB"]:
        raise ValueError("must be between 32MiB and 1TiB")
    return text


def _retention(text: str) -> str:
    if not 1 <= quantities.parse_duration(text) <= 3650 * 24:
        raise ValueError("must be between 1h and 3650d")
    return text


def _within(low_s: int, high_s: int, words_: str) -> AfterValidator:
    def check(text: str) -> str:
        if not low_s <= quantities.parse_seconds(text) <= high_s:
            raise ValueError(f"must be between {words_}")
        return text

    return AfterValidator(check)


def _enum(known: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(known)})


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


def _known(known: tuple[str, ...], what: str) -> AfterValidator:
    return AfterValidator(lambda text: validators.one_of(known, what, text))


_TEXT_OR_NUMBER = WithJsonSchema({"type": ["string", "number"]})
_ACCEPTABLE = tuple(validators.ACCEPTABLE)

Name = Annotated[str, AfterValidator(validators.dns_label), _pattern(f"^{validators.HOST_NAME.pattern}$")]
Title = Annotated[str, BeforeValidator(_as_written), AfterValidator(validators.title), _TEXT_OR_NUMBER]
Label = Annotated[str, BeforeValidator(_as_written), AfterValidator(validators.prose), _TEXT_OR_NUMBER]
LabelKey = Annotated[str, AfterValidator(validators.label_key)]
Prose = Annotated[str, AfterValidator(validators.prose)]
Path = Annotated[str, AfterValidator(validators.path)]
Port = Annotated[int, Field(ge=1, le=65535)]
User = Annotated[str, AfterValidator(validators.user_name)]
Jump = Annotated[str, AfterValidator(validators.jump)]
SshTransportName = Annotated[
    str, _known(validators.SSH_TRANSPORTS, "ssh transport"), _enum(validators.SSH_TRANSPORTS)
]
Capacity = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(_capacity), _pattern(quantities.SIZE_PATTERN)
]
Retention = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(_retention), _pattern(quantities.DURATION_PATTERN)
]
Grace = Annotated[
    str, BeforeValidator(_as_written), _within(10, 1800, "10s and 30m"), _pattern(quantities.SECONDS_PATTERN)
]
Soak = Annotated[
    str, BeforeValidator(_as_written), _within(0, 600, "0s and 10m"), _pattern(quantities.SECONDS_PATTERN)
]
Migration = Annotated[
    str,
    BeforeValidator(_as_written),
    _within(300, 43_200, "5m and 720m"),
    _pattern(quantities.SECONDS_PATTERN),
]
Country = Annotated[str, AfterValidator(validators.country), _pattern("^[A-Z]{2}$")]
Version = Annotated[str, BeforeValidator(_as_written), AfterValidator(validators.version), _TEXT_OR_NUMBER]
TemporalVersion = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(validators.temporal_version), _TEXT_OR_NUMBER
]
PostgresVersion = Annotated[
    str,
    BeforeValidator(_as_written),
    AfterValidator(validators.postgres_version),
    WithJsonSchema(
        {"enum": [*validators.POSTGRES_VERSIONS, *(int(v) for v in validators.POSTGRES_VERSIONS)]}
    ),
]
Shards = Annotated[
    int,
    AfterValidator(validators.shards),
    WithJsonSchema({"enum": [1 << exponent for exponent in range(15)]}),
]
NamespaceName = Annotated[str, AfterValidator(validators.namespace)]
Registry = Annotated[str, AfterValidator(validators.registry)]
ImageName = Annotated[str, AfterValidator(validators.image)]
Digest = Annotated[str, AfterValidator(validators.digest), _pattern("^sha256:[0-9a-f]{64}$")]
Recipient = Annotated[str, AfterValidator(validators.recipient)]
ClassName = Annotated[str, AfterValidator(validators.class_name)]
Network = Annotated[str, _known(validators.NETWORKS, "network"), _enum(validators.NETWORKS)]
Leans = Annotated[str, _known(validators.LEANS, "direction"), _enum(validators.LEANS)]
DiskKind = Annotated[str, _known(validators.DISK_KINDS, "disk kind"), _enum(validators.DISK_KINDS)]
RoleName = Annotated[str, _known(validators.ROLES, "role"), _enum(validators.ROLES)]
Accepted = Annotated[str, _known(_ACCEPTABLE, "risk"), _enum(_ACCEPTABLE)]
LoginName = Annotated[str, _known(validators.LOGINS, "login"), _enum(validators.LOGINS)]
InternalAddress = Annotated[str, AfterValidator(addresses.internal_address)]
Subnet = Annotated[str, AfterValidator(subnets.subnet)]
SshAddress = Annotated[str, AfterValidator(addresses.ssh_address)]
Date = Annotated[str, AfterValidator(validators.date), WithJsonSchema({"type": "string", "format": "date"})]
Threshold = Annotated[float, Field(ge=0, le=1e12)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]
SettingName = Annotated[str, AfterValidator(validators.setting_name)]
SettingValue = Annotated[
    object,
    BeforeValidator(_as_plain),
    AfterValidator(validators.setting_value),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
DynamicValue = Annotated[
    object,
    BeforeValidator(_as_plain),
    AfterValidator(validators.dynamic_value),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
PoolRole = Annotated[str, _known(validators.POOL_ROLES, "role"), _enum(validators.POOL_ROLES)]
ContainerName = Annotated[str, _known(validators.CONTAINERS, "container"), _enum(validators.CONTAINERS)]
ContainerMemory = Annotated[
    str, BeforeValidator(_as_written), AfterValidator(_container_memory), _pattern(quantities.SIZE_PATTERN)
]


class SshSection(Section):
    """How hosts are reached."""

    user: User = Field(description="Who logs in; must be allowed to use sudo.")
    port: Port = Field(default=22, description="The port of sshd.")
    keys: list[Path] = Field(
        default=[], description="Private keys, relative to this file; the agent and the usual keys otherwise."
    )
    known_hosts: Path = Field(
        default="known_hosts",
        description="Pinned host keys, relative to this file; `tempo-infra trust` writes it.",
    )
    proxy_jump: Jump | None = Field(default=None, description="A host to go through: [user@]host[:port].")
    transport: SshTransportName = Field(
        default="paramiko",
        description="`paramiko`: the built-in library. `openssh`: this machine's `ssh`, with security keys, "
        "host certificates and all of ~/.ssh/config.",
    )


class HostSshSection(Section):
    """What differs from `ssh` for this host."""

    user: User | None = Field(default=None, description="Who logs in on this host.")
    port: Port | None = Field(default=None, description="The port of this host's sshd.")
    proxy_jump: Jump | None = Field(default=None, description="A host to go through to this one.")
    transport: SshTransportName | None = Field(default=None, description="What speaks ssh to this host.")


class SecretsSection(Section):
    """Where the generated passwords are kept."""

    file: Path = Field(default="secrets.age", description="The encrypted file, relative to this one.")
    recipients: list[Recipient] = Field(
        default=[], description="Who else can read it: age1... or ssh-ed25519 ...; the one who makes it can."
    )
    login: LoginName = Field(
        default="blue",
        description="Which of the two database logins the services use; `secrets rotate` changes it.",
    )


class NamespaceSection(Section):
    """A Temporal namespace."""

    name: NamespaceName = Field(description="Its name; workers and clients use it.")
    retention: Retention = Field(description="How long closed workflows are kept: 72h, 3d, 2w.")


class TemporalSection(Section):
    """The Temporal servers."""

    version: TemporalVersion = Field(description="Version of the server and of its tools, such as 1.31.2.")
    ui: Version = Field(description="Version of the web UI, such as 2.50.1.")
    shards: Shards = Field(
        description="History shards, a power of two. Fixed when the cluster first starts; 512 suits most."
    )
    namespaces: list[NamespaceSection] = Field(
        default=[],
        description="Made when missing, set to this retention; never deleted by this tool.",
    )
    pollers: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Long polls that all workers hold together; frontends must carry them."
    )
    http_api: bool = Field(
        default=False,
        description=f"Frontends answer HTTP too, on port {validators.HTTP_API}; "
        "as gRPC it asks nobody who he is.",
    )


class PostgresSection(Section):
    """The database."""

    version: PostgresVersion = Field(
        description="The major version: 15, 16 or 17. Fixed when the cluster first starts."
    )


class ImagesSection(Section):
    """Where container images come from."""

    registry: Registry | None = Field(
        default=None,
        description="A registry without scheme, such as registry.example.no:5000. Hosts pull as root: a "
        "login there is root's (`sudo docker login`).",
    )
    ca_file: Path | None = Field(
        default=None, description="The registry's certificate authority (PEM), relative to this file."
    )
    digests: dict[ImageName, Digest] = Field(
        default={}, description="The exact content of each image; `tempo-infra images pin` writes it."
    )


class LimitsSection(Section):
    """Limits of the services."""

    nofile: Annotated[int, Field(ge=1024, le=1048576)] = Field(
        default=65535, description="Open files a service may have."
    )


class RolloutSection(Section):
    """How a change is kept or taken back."""

    decide_after: Grace = Field(
        default="60s",
        description="Silence from the operator after which a switched host decides by itself.",
    )
    soak: Soak = Field(
        default="10s",
        description="How long containers that were recreated must stay up and healthy before they are kept.",
    )
    migrate_within: Migration | None = Field(
        default=None,
        description="How long a change of the database's schema may take, 5m to 720m; by default 5 minutes"
        " and 100 s for each GB of Temporal's databases.",
    )


class ClassSection(Section):
    """An instance class: what is given here replaces what the built-in class of that name says."""

    purpose: Prose | None = Field(default=None, description="What such a host is for.")
    leans: Leans | None = Field(default=None, description="Where its tuning leans.")
    thresholds: dict[str, Threshold] = Field(
        default={}, description="What it must meet, with the unit in the name: fsync_p99_ms."
    )


class DiskSection(Section):
    """The disk that holds the data."""

    kind: DiskKind = Field(description="What the provider says; evidence only, checks measure it.")
    size: Capacity = Field(description="Its size, such as 80GiB.")


class ResourcesSection(Section):
    """What the host has."""

    vcpu: Annotated[int, Field(ge=1, le=1024)] = Field(description="Virtual processors.")
    memory: Capacity = Field(description="Its memory, such as 8GiB.")
    disk: DiskSection = Field(description="The disk that holds the data.")
    measured: Date | None = Field(
        default=None, description="When `tempo-infra inventory measure` read these from the host."
    )


class MeasuredSection(Section):
    """What was measured on this host; sizing and capacity count with it."""

    date: Date = Field(description="When: 2026-11-20.")
    fsync_p50_ms: Milliseconds | None = Field(
        default=None, description="Median of an fdatasync in the data directory (`check-host`: disk.fsync)."
    )
    fsync_p99_ms: Milliseconds | None = Field(default=None, description="Its 99th percentile.")
    rtt_ms: Milliseconds | None = Field(default=None, description="Round trip to the database host.")


class OverridesSection(Section):
    """Values to use instead of the sized ones. `tempo-infra explain` shows both."""

    postgresql: dict[SettingName, SettingValue] = Field(
        default={}, description="Parameters of postgresql.conf: {work_mem: 16MB}."
    )
    sysctl: dict[SettingName, SettingValue] = Field(
        default={}, description="Kernel settings: {vm.swappiness: 5}."
    )
    temporal: dict[SettingName, DynamicValue] = Field(
        default={}, description="Keys of Temporal's dynamic configuration: {history.rps: 2000}."
    )
    pools: dict[PoolRole, Annotated[int, Field(ge=1, le=5000)]] = Field(
        default={}, description="Connections of a role's main store (maxConns): {history: 60}."
    )
    memory: dict[ContainerName, ContainerMemory] = Field(
        default={}, description="Memory limits of containers: {history: 6GiB}."
    )


class HostSection(Section):
    """A host and what runs on it."""

    address: SshAddress = Field(
        description="How ssh reaches it: a name, an address or an alias of ~/.ssh/config."
    )
    internal: InternalAddress = Field(
        description="The address that its services bind and announce; private, an IPv4 literal."
    )
    instance_class: ClassName = Field(
        alias="class", description="Its instance class: C-Series, NVMe-Series, High-RAM or one of `classes`."
    )
    roles: Annotated[list[RoleName], Field(min_length=1)] = Field(description="What runs on it.")
    resources: ResourcesSection = Field(description="What it has; `tempo-infra inventory measure` reads it.")
    ssh: HostSshSection = Field(
        default=HostSshSection(), description="What differs from `ssh` for this host."
    )
    subnet: Subnet | None = Field(
        default=None, description="The network of this host's containers, where it differs from `subnet`."
    )
    labels: dict[LabelKey, Label] = Field(default={}, description="Your own words about it.")
    measured: MeasuredSection | None = Field(
        default=None, description="What was measured on it, with the date."
    )
    overrides: OverridesSection = Field(
        default=OverridesSection(), description="Values to use on this host instead of the sized ones."
    )


class InventoryFile(Section):
    """An inventory of tempo-infra: the hosts of one Temporal cluster and what should run on them."""

    cluster: Name = Field(description="The cluster's name, for people; `remove` and its like ask for it.")
    country: Country = Field(description="Where the hosts are: two letters of ISO 3166, such as NO.")
    provider: Title = Field(description="Who rents them out.")
    ssh: SshSection = Field(description="How hosts are reached.")
    secrets: SecretsSection = Field(
        default=SecretsSection(), description="Where the generated passwords are kept."
    )
    temporal: TemporalSection = Field(description="The Temporal servers.")
    postgres: PostgresSection = Field(description="The database.")
    images: ImagesSection = Field(default=ImagesSection(), description="Where container images come from.")
    network: Network = Field(
        default="bridge",
        description="How services reach the network: bridge publishes their ports on the internal address;"
        " host gives them the host's own network: more throughput where the CPU is the limit, and a risk.",
    )
    subnet: Subnet | None = Field(
        default=None,
        description="The network of the containers, the same on every host, private, /16 to /28; by default"
        f" the first of {', '.join(subnets.CANDIDATES)} that holds no internal address.",
    )
    limits: LimitsSection = Field(default=LimitsSection(), description="Limits of the services.")
    rollout: RolloutSection = Field(
        default=RolloutSection(), description="How a change is kept or taken back."
    )
    accept: list[Accepted] = Field(default=[], description="Risks that you have decided to take, by id.")
    classes: dict[ClassName, ClassSection] = Field(
        default={}, description="Own instance classes, or changes to the built-in ones."
    )
    overrides: OverridesSection = Field(
        default=OverridesSection(), description="Values to use on every host instead of the sized ones."
    )
    hosts: Annotated[dict[Name, HostSection], Field(min_length=1)] = Field(description="The hosts by name.")
