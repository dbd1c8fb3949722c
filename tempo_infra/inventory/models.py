"""The inventory's shape: strict models, whose descriptions are the reference and the editor's help."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tempo_infra.inventory import fields, subnets, validators


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        defer_build=True,  # the whole is validated: its parts need no validators of their own
    )


class SshSection(Section):
    """How hosts are reached."""

    user: fields.User = Field(description="Who logs in; must be allowed to use sudo.")
    port: fields.Port = Field(default=22, description="The port of sshd.")
    keys: list[fields.Path] = Field(
        default=[], description="Private keys, relative to this file; the agent and the usual keys otherwise."
    )
    known_hosts: fields.Path = Field(
        default="known_hosts",
        description="Pinned host keys, relative to this file; `tempo-infra trust` writes it.",
    )
    proxy_jump: fields.Jump | None = Field(
        default=None, description="A host to go through: [user@]host[:port]."
    )
    transport: fields.SshTransportName = Field(
        default="paramiko",
        description="`paramiko`: the built-in library. `openssh`: this machine's `ssh`, with security keys, "
        "host certificates and all of ~/.ssh/config.",
    )


class HostSshSection(Section):
    """What differs from `ssh` for this host."""

    user: fields.User | None = Field(default=None, description="Who logs in on this host.")
    port: fields.Port | None = Field(default=None, description="The port of this host's sshd.")
    proxy_jump: fields.Jump | None = Field(default=None, description="A host to go through to this one.")
    transport: fields.SshTransportName | None = Field(
        default=None, description="What speaks ssh to this host."
    )


class SecretsSection(Section):
    """Where the generated passwords are kept."""

    file: fields.Path = Field(default="secrets.age", description="The encrypted file, relative to this one.")
    recipients: list[fields.Recipient] = Field(
        default=[], description="Who else can read it: age1... or ssh-ed25519 ...; the one who makes it can."
    )
    login: fields.LoginName = Field(
        default="blue",
        description="Which of the two database logins the services use; `secrets rotate` changes it.",
    )


class NamespaceSection(Section):
    """A Temporal namespace."""

    name: fields.NamespaceName = Field(description="Its name; workers and clients use it.")
    retention: fields.Retention = Field(description="How long closed workflows are kept: 72h, 3d, 2w.")


class TemporalSection(Section):
    """The Temporal servers."""

    version: fields.TemporalVersion = Field(
        description="Version of the server and of its tools, such as 1.31.2."
    )
    ui: fields.Version = Field(description="Version of the web UI, such as 2.50.1.")
    shards: fields.Shards = Field(
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

    version: fields.PostgresVersion = Field(
        description="The major version: 15, 16 or 17. Fixed when the cluster first starts."
    )


class ImagesSection(Section):
    """Where container images come from."""

    source: fields.ImageSource = Field(
        default="registry",
        description="How hosts get images: registry, from which each host pulls; or ssh, by which this "
        "machine brings them to hosts that lack them.",
    )
    sources: dict[fields.Repository, fields.ImageSource] = Field(
        default={}, description="Images that come another way than `source`: {temporalio/ui: registry}."
    )
    archives: list[fields.Path] = Field(
        default=[],
        description="What `docker save` wrote, relative to this file: from there images are brought by ssh.",
    )
    registry: fields.Registry | None = Field(
        default=None,
        description="A registry without scheme, such as registry.example.no:5000. Hosts pull as root: a "
        "login there is root's (`sudo docker login`).",
    )
    ca_file: fields.Path | None = Field(
        default=None, description="The registry's certificate authority (PEM), relative to this file."
    )
    digests: dict[fields.ImageName, fields.Digest] = Field(
        default={},
        description="The exact content of each image: its digest in the registry, or, of one that is brought "
        "by ssh, the digest of its configuration; `tempo-infra images pin` writes it.",
    )


class RepositorySection(Section):
    """Where backups and the log are kept, on another machine."""

    kind: fields.RepositoryKind = Field(
        description="How it is reached. `sftp`: any sshd, an account without a shell is enough."
    )
    host: fields.SshAddress = Field(description="Its name or address, as the database host reaches it.")
    port: fields.Port = Field(default=22, description="The port of its sshd.")
    user: fields.User = Field(
        description="Who logs in there, by the key that `tempo-infra backup key` shows."
    )
    path: fields.RepositoryPath = Field(
        description="The folder, as that user sees it; of this cluster alone."
    )
    fingerprint: fields.Fingerprint = Field(
        description="Of its host key, as `ssh-keygen -lf` prints it: SHA256:..."
    )
    country: fields.Country = Field(description="Where it is: two letters of ISO 3166, such as NO.")
    provider: fields.Title = Field(description="Who rents it out.")


class BackupSection(Section):
    """Backups of the database and its log, encrypted, on other machines."""

    repositories: Annotated[list[RepositorySection], Field(min_length=1, max_length=2)] = Field(
        description="Where they are kept, once or twice."
    )
    rpo: fields.Rpo = Field(
        default="60s",
        description="How much of the newest work may be lost with the database host, 10s to 60m: the log is "
        "sent at least so often.",
    )
    keep: fields.Days = Field(
        default="14d",
        description="How far back the database can be restored, 1d to 3650d; older backups are deleted.",
    )
    at: fields.TimeOfDay = Field(default="02:30", description="When a backup is taken each day, in UTC.")
    full_every: fields.Days = Field(
        default="7d", description="How often it is a full one; between them, what has changed since the last."
    )


class LimitsSection(Section):
    """Limits of the services."""

    nofile: Annotated[int, Field(ge=1024, le=1048576)] = Field(
        default=65535, description="Open files a service may have."
    )


class RolloutSection(Section):
    """How a change is kept or taken back."""

    decide_after: fields.Grace = Field(
        default="60s",
        description="Silence from the operator after which a switched host decides by itself.",
    )
    soak: fields.Soak = Field(
        default="10s",
        description="How long containers that were recreated must stay up and healthy before they are kept.",
    )
    migrate_within: fields.Migration | None = Field(
        default=None,
        description="How long a change of the database's schema may take, 5m to 720m; by default 5 minutes"
        " and 100 s for each GB of Temporal's databases.",
    )


class ClassSection(Section):
    """An instance class: what is given here replaces what the built-in class of that name says."""

    purpose: fields.Prose | None = Field(default=None, description="What such a host is for.")
    leans: fields.Leans | None = Field(default=None, description="Where its tuning leans.")
    thresholds: dict[str, fields.Threshold] = Field(
        default={}, description="What it must meet, with the unit in the name: fsync_p99_ms."
    )


class DiskSection(Section):
    """The disk that holds the data."""

    kind: fields.DiskKind = Field(description="What the provider says; evidence only, checks measure it.")
    size: fields.Capacity = Field(description="Its size, such as 80GiB.")


class ResourcesSection(Section):
    """What the host has."""

    vcpu: Annotated[int, Field(ge=1, le=1024)] = Field(description="Virtual processors.")
    memory: fields.Capacity = Field(description="Its memory, such as 8GiB.")
    disk: DiskSection = Field(description="The disk that holds the data.")
    measured: fields.Date | None = Field(
        default=None, description="When `tempo-infra inventory measure` read these from the host."
    )


class MeasuredSection(Section):
    """What was measured on this host; sizing and capacity count with it."""

    date: fields.Date = Field(description="When: 2026-11-20.")
    fsync_p50_ms: fields.Milliseconds | None = Field(
        default=None, description="Median of an fdatasync in the data directory (`check-host`: disk.fsync)."
    )
    fsync_p99_ms: fields.Milliseconds | None = Field(default=None, description="Its 99th percentile.")
    rtt_ms: fields.Milliseconds | None = Field(default=None, description="Round trip to the database host.")


class OverridesSection(Section):
    """Values to use instead of the sized ones. `tempo-infra explain` shows both."""

    postgresql: dict[fields.SettingName, fields.SettingValue] = Field(
        default={}, description="Parameters of postgresql.conf: {work_mem: 16MB}."
    )
    sysctl: dict[fields.SettingName, fields.SettingValue] = Field(
        default={}, description="Kernel settings: {vm.swappiness: 5}."
    )
    temporal: dict[fields.SettingName, fields.DynamicValue] = Field(
        default={}, description="Keys of Temporal's dynamic configuration: {history.rps: 2000}."
    )
    pools: dict[fields.PoolRole, Annotated[int, Field(ge=1, le=5000)]] = Field(
        default={}, description="Connections of a role's main store (maxConns): {history: 60}."
    )
    memory: dict[fields.ContainerName, fields.ContainerMemory] = Field(
        default={}, description="Memory limits of containers: {history: 6GiB}."
    )


class HostSection(Section):
    """A host and what runs on it."""

    address: fields.SshAddress = Field(
        description="How ssh reaches it: a name, an address or an alias of ~/.ssh/config."
    )
    internal: fields.InternalAddress = Field(
        description="The address that its services bind and announce; private, an IPv4 literal."
    )
    instance_class: fields.ClassName = Field(
        alias="class", description="Its instance class: a built-in one or one of `classes`."
    )
    roles: Annotated[list[fields.RoleName], Field(min_length=1)] = Field(description="What runs on it.")
    resources: ResourcesSection = Field(description="What it has; `tempo-infra inventory measure` reads it.")
    ssh: HostSshSection = Field(
        default=HostSshSection(), description="What differs from `ssh` for this host."
    )
    subnet: fields.Subnet | None = Field(
        default=None, description="The network of this host's containers, where it differs from `subnet`."
    )
    labels: dict[fields.LabelKey, fields.Label] = Field(default={}, description="Your own words about it.")
    measured: MeasuredSection | None = Field(
        default=None, description="What was measured on it, with the date."
    )
    overrides: OverridesSection = Field(
        default=OverridesSection(), description="Values to use on this host instead of the sized ones."
    )


class InventoryFile(Section):
    """An inventory of tempo-infra: the hosts of one Temporal cluster and what should run on them."""

    cluster: fields.Name = Field(
        description="The cluster's name, for people; `remove` and its like ask for it."
    )
    country: fields.Country = Field(description="Where the hosts are: two letters of ISO 3166, such as NO.")
    provider: fields.Title = Field(description="Who rents them out.")
    ssh: SshSection = Field(description="How hosts are reached.")
    secrets: SecretsSection = Field(
        default=SecretsSection(), description="Where the generated passwords are kept."
    )
    temporal: TemporalSection = Field(description="The Temporal servers.")
    postgres: PostgresSection = Field(description="The database.")
    images: ImagesSection = Field(default=ImagesSection(), description="Where container images come from.")
    backup: BackupSection | None = Field(
        default=None,
        description="Backups of the database; without it there are none.",
    )
    network: fields.Network = Field(
        default="bridge",
        description="How services reach the network: bridge publishes their ports on the internal address;"
        " host gives them the host's own network: more throughput where the CPU is the limit, and a risk.",
    )
    subnet: fields.Subnet | None = Field(
        default=None,
        description="The network of the containers, the same on every host, private, /16 to /28; by default"
        f" the first of {', '.join(subnets.CANDIDATES)} that holds no internal address.",
    )
    limits: LimitsSection = Field(default=LimitsSection(), description="Limits of the services.")
    rollout: RolloutSection = Field(
        default=RolloutSection(), description="How a change is kept or taken back."
    )
    accept: list[fields.Accepted] = Field(
        default=[], description="Risks that you have decided to take, by id."
    )
    classes: dict[fields.ClassName, ClassSection] = Field(
        default={}, description="Own instance classes, or changes to the built-in ones."
    )
    overrides: OverridesSection = Field(
        default=OverridesSection(), description="Values to use on every host instead of the sized ones."
    )
    hosts: Annotated[dict[fields.Name, HostSection], Field(min_length=1)] = Field(
        description="The hosts by name."
    )
