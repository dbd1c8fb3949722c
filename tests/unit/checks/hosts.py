"""A healthy host as facts, and ways to change one thing of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from tempo_infra.checks import Expected
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import Disk as DeclaredDisk
from tempo_infra.inventory.cluster import Resources, Role
from tempo_infra.on_host.facts import SCHEMA, Facts, FactsOptions
from tempo_infra.on_host.probes.clock import Clock, Discipline, Source
from tempo_infra.on_host.probes.cpu import Cpu, Steal
from tempo_infra.on_host.probes.disk import Device, Disk, Mount, Space
from tempo_infra.on_host.probes.docker import Container, Docker
from tempo_infra.on_host.probes.fsync import Burst, Flushes, Fsync
from tempo_infra.on_host.probes.kernel import Kernel, OpenFiles
from tempo_infra.on_host.probes.memory import Memory
from tempo_infra.on_host.probes.nofile import Limits, Nofile
from tempo_infra.on_host.probes.postgres import Postgres, Settings, WalFlush
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.on_host.probes.system import System
from tempo_infra.on_host.probes.virt import Virt

GIB = 1024**3
GB = 1000**3
FAILED: Reading[Any] = Reading(None, "permission denied")
ABSENT: Reading[Any] = Reading(None, "left out by --quick", not_wanted=True)


def container(service: str, *, soft: int = 65_534, hard: int = 65_535, in_use: int = 120) -> Container:
    return Container(
        name=f"tempo-infra-{service}-1",
        project="tempo-infra",
        service=service,
        image="temporalio/server:1.31.2",
        state="running",
        health="healthy",
        pid=4711,
        started_at="2026-11-20T10:00:00Z",
        restarts=0,
        nofile=Reading(Limits(soft, hard)),
        files_in_use=Reading(in_use),
    )


def fsync(*, p50_us: float = 130, p99_us: float = 2400, bursts_p99_us: tuple[float, ...] = ()) -> Fsync:
    each = bursts_p99_us or (p99_us,) * 5
    return Fsync(
        directory="/srv/tempo",
        n=21_870,
        p50_us=p50_us,
        p99_us=p99_us,
        max_us=31_000,
        write_p50_us=6,
        bursts=tuple(Burst(4374, p50_us, p99, 31_000, 2) for p99 in each),
        flushes=Reading(Flushes(1.0, 2.0)),
    )


def postgres(*, count: int = 5000, mean_ms: float = 0.4, files: int = 1000) -> Postgres:
    return Postgres(
        container="tempo-infra-postgresql-1",
        settings=Reading(Settings(170_004, files, times_flushes=True, in_recovery=False)),
        wal_flush=Reading(WalFlush(count, mean_ms, 2, 12, mean_ms)),
    )


def healthy() -> Facts:
    """A good KVM host with a provisioned history service."""
    return Facts(
        schema=SCHEMA,
        tool_version="0.1.0",
        taken_at="2026-11-20T10:00:00Z",
        seconds=11.8,
        options=FactsOptions(),
        system=Reading(
            System(
                hostname=Reading("history-1"),
                os=Reading("Debian GNU/Linux 13 (trixie)"),
                python=Reading("3.13.5"),
                uid=Reading(0),
                boot_id=Reading("8ef54f0c-7a56-4c20-8f37-3a0f23a2a9b1"),
            )
        ),
        kernel=Reading(
            Kernel(
                release=Reading("6.12.57"),
                thp=Reading("madvise"),
                swappiness=Reading(10),
                overcommit=Reading(0),
                somaxconn=Reading(4096),
                open_files=Reading(OpenFiles(2000, 1_000_000, 1_048_576)),
            )
        ),
        memory=Reading(Memory(Reading(8 * GIB), Reading(7 * GIB), Reading(0), ABSENT)),
        virt=Reading(Virt(Reading("kvm"), Reading("none"), Reading("Hetzner"), Reading("vServer"))),
        clock=Reading(
            Clock(
                Reading(Discipline(synchronised=True, max_error_ms=12.5)),
                Reading(Source("kvm-clock", "kvm-clock tsc")),
                Reading(9e4),
            )
        ),
        nofile=Reading(
            Nofile(
                login=Reading(Limits(65_535, 65_535)),
                sudo=Reading(Limits(65_535, 65_535)),
                sshd=Reading(Limits(1024, 524_288)),
                containerd=Reading(Limits(524_288, 524_288)),
                dockerd=Reading(Limits(524_288, 524_288)),
            )
        ),
        docker=Reading(Docker(Reading("28.2.2"), Reading("2.32.4"), Reading((container("history"),)))),
        postgres=Reading(None, "no PostgreSQL of the cluster runs here", not_wanted=True),
        disk=Reading(
            Disk(
                "/srv/tempo",
                "/srv/tempo",
                Reading(Mount("/", "ext4", "/dev/vda1", "rw,relatime")),
                Reading((Device("vda", "", rotational=True, write_cache="write back"),)),
                Reading(Space(80 * GB, 60 * GB, 5_000_000, 4_900_000)),
            )
        ),
        cpu=Reading(
            Cpu(
                Reading(4),
                ABSENT,
                Reading("AMD EPYC"),
                Reading(Steal(0.4, 99.0, 2.8)),
                Reading(0.1),
                Reading(0.3),
            )
        ),
        fsync=Reading(fsync()),
    )


def having(facts: Facts, path: str, reading: Reading[Any]) -> Facts:
    """Return the facts with one reading replaced, named by its path: "kernel.swappiness"."""
    changed = _having(facts, path.split("."), reading)
    assert isinstance(changed, Facts)
    return changed


def _having(part: Any, names: list[str], reading: Reading[Any]) -> Any:
    assert is_dataclass(part)
    assert names[0] in {field.name for field in fields(part)}
    if len(names) == 1:
        return replace(part, **{names[0]: reading})  # type: ignore[type-var]  # an instance, not a class
    inner = getattr(part, names[0])
    value = _having(inner.value, names[1:], reading)
    return replace(part, **{names[0]: Reading(value)})  # type: ignore[type-var]  # an instance, not a class


def expected(*roles: Role, class_name: str = "NVMe-Series") -> Expected:
    """What a 4 vCPU, 8 GiB, 80 GB host with these roles should be like."""
    return Expected(
        thresholds=built_in().classes[class_name].thresholds,
        nofile=65_535,
        host="history-1",
        class_name=class_name,
        roles=frozenset(roles) if roles else None,
        resources=Resources(4, 8 * GIB, DeclaredDisk("nvme", 80 * GB)),
        database_host="db-1",
        inventory="oslo.yaml",
    )
