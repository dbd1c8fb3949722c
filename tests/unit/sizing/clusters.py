"""Clusters for tests, built by hand: as inventories load them, without a file."""

from __future__ import annotations

from pathlib import Path

from tempo_infra.inventory.cluster import (
    Cluster,
    Disk,
    Host,
    Images,
    InstanceClass,
    Namespace,
    Postgres,
    Resources,
    Role,
    SecretsFile,
    Ssh,
    Temporal,
)

GIB = 1024**3
ALL = (Role.POSTGRESQL, Role.HISTORY, Role.MATCHING, Role.WORKER, Role.FRONTEND, Role.UI)
CLASSES = {
    "cpu": InstanceClass("C-Series", "frontends", "cpu", {}),
    "io": InstanceClass("NVMe-Series", "history", "io", {}),
    "memory": InstanceClass("High-RAM", "the database", "memory", {}),
}


def host(
    name: str,
    *roles: Role,
    memory_gib: float = 4,
    vcpu: int = 2,
    leans: str = "io",
    internal: str = "10.0.0.1",
    disk_gib: int = 80,
    kind: str = "nvme",
) -> Host:
    return Host(
        name=name,
        ssh=Ssh("203.0.113.1", "deploy", 22, (), Path("known_hosts")),
        internal=internal,
        instance_class=CLASSES[leans],
        resources=Resources(vcpu, int(memory_gib * GIB), Disk(kind, disk_gib * GIB)),
        roles=tuple(role for role in Role if role in roles),
        labels={},
    )


def cluster(
    *hosts: Host, shards: int = 512, nofile: int = 65535, path: Path = Path("/nowhere/inventory.yaml")
) -> Cluster:
    return Cluster(
        path=path,
        name="oslo",
        country="NO",
        provider="example-hosting",
        temporal=Temporal("1.31.2", "2.50.1", shards, (Namespace("billing", 72),)),
        postgres=Postgres("17"),
        images=Images("registry.example:5000", {}),
        nofile=nofile,
        accept=frozenset(),
        secrets=SecretsFile(Path("secrets.age"), ()),
        hosts=hosts,
    )


def solo(memory_gib: float = 8, **more: object) -> Cluster:
    shards = more.get("shards", 512)
    assert isinstance(shards, int)
    return cluster(host("solo-1", *ALL, memory_gib=memory_gib, vcpu=4, internal="10.0.0.10"), shards=shards)


def trio(database_gib: float = 4, history_gib: float = 4, front_gib: float = 2, shards: int = 64) -> Cluster:
    front = (Role.FRONTEND, Role.MATCHING, Role.WORKER, Role.UI)
    return cluster(
        host("front-1", *front, memory_gib=front_gib, leans="cpu", internal="10.0.0.11"),
        host("history-1", Role.HISTORY, memory_gib=history_gib, leans="io", internal="10.0.0.12"),
        host("db-1", Role.POSTGRESQL, memory_gib=database_gib, leans="memory", internal="10.0.0.13"),
        shards=shards,
    )
