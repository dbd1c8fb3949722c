"""Validated models to the frozen values that the rest of the program uses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import (
    Backup,
    Cluster,
    Disk,
    Host,
    Images,
    ImageSource,
    InstanceClass,
    Measured,
    Namespace,
    Overrides,
    Postgres,
    Repository,
    Resources,
    Role,
    SecretsFile,
    Ssh,
    SshTransport,
    Temporal,
    Timing,
)
from tempo_infra.inventory.fingerprints import fingerprint_hex
from tempo_infra.inventory.logins import Login
from tempo_infra.inventory.quantities import parse_duration, parse_seconds, parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Value
    from tempo_infra.inventory.models import (
        BackupSection,
        HostSection,
        ImagesSection,
        InventoryFile,
        MeasuredSection,
        OverridesSection,
        ResourcesSection,
        SecretsSection,
        SshSection,
        TemporalSection,
    )


def build(inventory: InventoryFile, path: Path) -> Cluster:
    """Return the Cluster; relative paths start at the inventory's folder."""
    own = {name: section.model_dump(exclude_none=True) for name, section in inventory.classes.items()}
    classes = built_in().changed(own)
    return Cluster(
        path=path,
        name=inventory.cluster,
        country=inventory.country,
        provider=inventory.provider,
        temporal=_temporal(inventory.temporal),
        postgres=Postgres(inventory.postgres.version),
        images=_images(inventory.images, path.parent),
        nofile=inventory.limits.nofile,
        network=inventory.network,
        subnet=inventory.subnet or "",
        accept=frozenset(inventory.accept),
        secrets=_secrets(inventory.secrets, path.parent),
        hosts=tuple(
            _host(name, host, inventory.ssh, classes, path.parent) for name, host in inventory.hosts.items()
        ),
        overrides=_overrides(inventory.overrides),
        backup=_backup(inventory.backup),
        timing=Timing(
            decide_after_s=parse_seconds(inventory.rollout.decide_after),
            soak_s=parse_seconds(inventory.rollout.soak),
            migrate_s=parse_seconds(inventory.rollout.migrate_within or "0s"),
        ),
    )


def _backup(section: BackupSection | None) -> Backup | None:
    if section is None:
        return None
    return Backup(
        repositories=tuple(
            Repository(
                one.host,
                one.port,
                one.user,
                one.path,
                fingerprint_hex(one.fingerprint),
                one.country,
                one.provider,
            )
            for one in section.repositories
        ),
        rpo_s=parse_seconds(section.rpo),
        keep_days=parse_duration(section.keep) // 24,
        at=section.at,
        full_days=parse_duration(section.full_every) // 24,
    )


def _secrets(section: SecretsSection, folder: Path) -> SecretsFile:
    return SecretsFile(_path(section.file, folder), tuple(section.recipients), Login(section.login))


def _host(
    name: str, host: HostSection, ssh: SshSection, classes: Mapping[str, InstanceClass], folder: Path
) -> Host:
    wanted = {Role(role) for role in host.roles}
    return Host(
        name=name,
        ssh=Ssh(
            address=host.address,
            user=host.ssh.user or ssh.user,
            port=host.ssh.port or ssh.port,
            keys=tuple(_path(key, folder) for key in ssh.keys),
            known_hosts=_path(ssh.known_hosts, folder),
            proxy_jump=host.ssh.proxy_jump or ssh.proxy_jump,
            transport=SshTransport(host.ssh.transport or ssh.transport),
        ),
        internal=host.internal,
        instance_class=classes[host.instance_class],
        resources=_resources(host.resources),
        roles=tuple(role for role in Role if role in wanted),
        labels=dict(host.labels),
        measured=_measured(host.measured),
        overrides=_overrides(host.overrides),
        subnet=host.subnet or "",
    )


def _resources(section: ResourcesSection) -> Resources:
    disk = Disk(section.disk.kind, parse_size(section.disk.size))
    return Resources(section.vcpu, parse_size(section.memory), disk, section.measured)


def _temporal(section: TemporalSection) -> Temporal:
    namespaces = tuple(Namespace(entry.name, parse_duration(entry.retention)) for entry in section.namespaces)
    return Temporal(
        section.version, section.ui, section.shards, namespaces, section.pollers, section.http_api
    )


def _measured(section: MeasuredSection | None) -> Measured | None:
    if section is None:
        return None
    return Measured(section.date, section.fsync_p50_ms, section.fsync_p99_ms, section.rtt_ms)


def _overrides(section: OverridesSection) -> Overrides:
    return Overrides(
        postgresql=_values(section.postgresql),
        sysctl=_values(section.sysctl),
        temporal=_values(section.temporal),
        pools={role: int(count) for role, count in section.pools.items()},
        memory={name: parse_size(size) for name, size in section.memory.items()},
    )


def _values(section: Mapping[str, object]) -> dict[str, Value]:
    return {name: value for name, value in section.items() if isinstance(value, str | int | float | bool)}


def _images(section: ImagesSection, folder: Path) -> Images:
    ca_file = _path(section.ca_file, folder) if section.ca_file else None
    return Images(
        section.registry or "",
        dict(section.digests),
        ca_file,
        ImageSource(section.source),
        {name: ImageSource(one) for name, one in section.sources.items()},
        tuple(_path(one, folder) for one in section.archives),
    )


def _path(text: str, folder: Path) -> Path:
    return folder / Path(text).expanduser()
