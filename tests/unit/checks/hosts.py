"""A healthy host as facts, and ways to change one thing of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from tempo_infra.checks import Expected
from tempo_infra.checks.expected import HostClock
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import Disk as DeclaredDisk
from tempo_infra.inventory.cluster import Resources, Role
from tempo_infra.on_host.accounts import Accounts
from tempo_infra.on_host.facts import SCHEMA, Facts, FactsOptions, Link
from tempo_infra.on_host.ports import Listener
from tempo_infra.on_host.probes.clock import Clock, Discipline, Source
from tempo_infra.on_host.probes.cpu import Cpu, Speed, Steal
from tempo_infra.on_host.probes.database import Bloat, Checkpoints, Clients, Database, Live, Vacuum
from tempo_infra.on_host.probes.disk import Device, Disk, Mount, Space
from tempo_infra.on_host.probes.docker import Cgroups, Container, Docker, Kind
from tempo_infra.on_host.probes.fsync import Bin, Burst, Flushes, Fsync
from tempo_infra.on_host.probes.generation import Generation, OwnedFile, Planned
from tempo_infra.on_host.probes.kernel import Dirty, Kernel, OpenFiles
from tempo_infra.on_host.probes.kernel_log import KernelLog
from tempo_infra.on_host.probes.logins import Role as DatabaseRole
from tempo_infra.on_host.probes.memory import HugePages, Memory
from tempo_infra.on_host.probes.metrics import Backlog, Delays, Metrics, Polls, Queue, ShardLock
from tempo_infra.on_host.probes.network import Held, Network, Peer, Reached, Times
from tempo_infra.on_host.probes.nofile import Limits, Nofile, Service
from tempo_infra.on_host.probes.postgres import Postgres, Settings, WalFlush
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.on_host.probes.roles import RoleHealth
from tempo_infra.on_host.probes.system import System
from tempo_infra.on_host.probes.upkeep import Apparmor, Restarts, Upkeep
from tempo_infra.on_host.probes.virt import Virt

IMAGE = "temporalio/server:1.31.2@sha256:" + "1" * 64
GIB = 1024**3
GB = 1000**3
FAILED: Reading[Any] = Reading(None, "permission denied")
ABSENT: Reading[Any] = Reading(None, "left out by --quick", not_wanted=True)


def container(service: str, *, soft: int = 65_534, hard: int = 65_535, in_use: int = 120) -> Container:
    return Container(
        name=f"tempo-infra-{service}-1",
        project="tempo-infra",
        service=service,
        image=IMAGE,
        state="running",
        health="healthy",
        pid=4711,
        started_at="2026-11-20T10:00:00Z",
        restarts=0,
        nofile=Reading(Limits(soft, hard)),
        files_in_use=Reading(in_use),
        mounts=(f"/var/lib/tempo-infra/services/{service}-aaaaaaaaaaaa",),
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
        distribution=(Bin(100, 200), Bin(200, 19_000), Bin(500, 1900), Bin(1000, 500), Bin(5000, 270)),
    )


def service(soft: int, hard: int, in_use: int = 40) -> Reading[Service]:
    return Reading(Service(Limits(soft, hard), Reading(in_use)))


def metrics(*, p99_ms: float = 2.0, queues: tuple[Queue, ...] = ()) -> Metrics:
    """A history service that works and a host without the other roles."""
    return Metrics(
        shard_lock=Reading(ShardLock(9.0, Delays(400, 1.0, p99_ms), Delays(90_000, 1.0, p99_ms))),
        backlog=Reading(Backlog(queues, 3)),
        polls=Reading((Polls("billing", 7, 9),)),
        slots=Reading(None, "no worker's metrics were named", not_wanted=True),
    )


def postgres(
    *, count: int = 5000, mean_ms: float = 0.4, now: int = 12, now_ms: float = 0.4, files: int = 1000
) -> Postgres:
    """An idle database; `now` flushes fell into the check."""
    return Postgres(
        container="tempo-infra-postgresql-1",
        settings=Reading(Settings(170_004, files, times_flushes=True, in_recovery=False)),
        wal_flush=Reading(WalFlush(count, mean_ms, 5, now, now_ms)),
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
                dirty=Reading(Dirty(256 * 1024**2, 0)),
                open_files=Reading(OpenFiles(2000, 1_000_000, 1_048_576)),
            )
        ),
        memory=Reading(
            Memory(
                Reading(8 * GIB),
                Reading(7 * GIB),
                Reading(0),
                Reading(0),
                Reading(HugePages(0, 0, 2 * 1024**2)),
                ABSENT,
            )
        ),
        virt=Reading(Virt(Reading("kvm"), Reading("none"), Reading("Hetzner"), Reading("vServer"))),
        clock=Reading(
            Clock(
                Reading(Discipline(synchronised=True, max_error_ms=12.5)),
                Reading(Source("kvm-clock", "kvm-clock tsc")),
                Reading(9e4),
                Reading("chronyd"),
            )
        ),
        nofile=Reading(
            Nofile(
                login=Reading(Limits(65_535, 65_535)),
                sudo=Reading(Limits(65_535, 65_535)),
                sshd=service(1024, 524_288),
                containerd=service(524_288, 524_288),
                dockerd=service(524_288, 524_288),
            )
        ),
        docker=Reading(
            Docker(
                engine=Reading("28.2.2"),
                containerd=Reading("1.7.27"),
                cgroups=Reading(Cgroups("2", "systemd")),
                compose=Reading("2.32.4"),
                containers=Reading((container("history"),)),
                stopped=Reading(()),
                kind=Reading(Kind()),
            )
        ),
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
                Reading(Steal(0.4, 99.0, 2.8, (0.2, 0.6, 0.4, 0.2, 0.8, 0.2))),
                Reading(0.1),
                Reading(0.3),
                Reading(Speed(1700, 25.0, 6.1)),
            )
        ),
        fsync=Reading(fsync()),
        kernel_log=Reading(KernelLog("journal", 900, ())),
        users=Reading(Accounts()),
        upkeep=Reading(
            Upkeep(
                Reading(Apparmor(enabled=True, parser=True)),
                Reading(()),
                Reading(Restarts(unattended=True, reboots=False, needrestart="i", spares_docker=False)),
                Reading(()),
            )
        ),
        network=Reading(
            Network(
                Reading(tuple(Listener("10.0.0.12", port) for port in (7234, 6934))),
                Reading((reached("db-1", 0.4, 5432, "postgresql"),)),
                Reading(None, "no frontend was named", not_wanted=True),
                Reading((Held("172.30.0.0/24", ()),)),
            )
        ),
        generation=Reading(generation("history")),
        roles=Reading((RoleHealth("history", 7234, "SERVING"),)),
        database=Reading(None, "no PostgreSQL of the cluster runs here", not_wanted=True),
        metrics=Reading(metrics()),
        peak_bytes=24 * 1024**2,
        seconds_by_part={"fsync": 10.0, "cpu": 3.5},
        link=Reading(Link(3.0, 2.0, 4.0, Reading(()))),
    )


def with_database(facts: Facts | None = None) -> Facts:
    """The same host, with PostgreSQL on it, too."""
    live = Live(
        pending_restart=(),
        file_errors=(),
        not_applied=(),
        files_not_loaded=(),
        altered=(),
        file_settings=40,
        max_connections=200,
        reserved=3,
        connections=60,
        clients=(Clients("10.0.0.12", 20), Clients("10.0.0.11", 10)),
        huge_pages="try",
        huge_pages_used="off",
        idle_in_transaction_s=0.0,
        lock_waits=0,
        longest_lock_wait_s=0.0,
        archive_failed=0,
        slots_held_bytes=0,
        xid_age=1_000_000,
        freeze_max_age=200_000_000,
        data_bytes=4 * GB,
        born_s=40 * 86_400,
    )
    found = Database(
        Reading(live),
        Reading(Checkpoints(900, 20, 4e6)),
        Reading(Vacuum(on=True, tables=(Bloat("executions", 12_000, 90_000),))),
        Reading(MEMBERS),
        Reading(512),
        Reading(()),
        Reading(ROLES),
    )
    return replace(facts or healthy(), database=Reading(found), postgres=Reading(postgres()))


def role(name: str, *member_of: str, sessions: int = 0, **more: bool) -> DatabaseRole:
    """A role that logs in, has a password, and may do nothing beyond."""
    usual = dict.fromkeys(("superuser", "makes_roles", "replicates", "sees_all_rows"), False)
    return DatabaseRole(
        name=name,
        member_of=member_of,
        sessions=sessions,
        **{"logs_in": True, "password": True, **usual, **more},
    )


ROLES = (
    role("postgres", superuser=True, makes_roles=True, replicates=True, sees_all_rows=True, password=False),
    role("temporal", logs_in=False, password=False),
    role("temporal_blue", "temporal"),
    role("temporal_local", "temporal", password=False),
)
MEMBERS = ("history 10.0.0.12:6934", "frontend 10.0.0.11:6933")


def reached(host: str, p50_ms: float, port: int, what: str, answer: str = "open") -> Reached:
    times = Times(30, p50_ms / 2, p50_ms, p50_ms * 3)
    return Reached(Peer(host, "10.0.0.13", port, what), answer, Reading(times))


def generation(*services: str, folder: str = "aaaaaaaaaaaa") -> Generation:
    return Generation(
        digest="0" * 64,
        manifest_is_its_own=True,
        files=(OwnedFile("/etc/sysctl.d/60-tempo-infra.conf", "same"),),
        services=tuple(
            Planned(one, IMAGE, job=False, folder=f"/var/lib/tempo-infra/services/{one}-{folder}")
            for one in services
        ),
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
        writer="db-1",
        inventory="oslo.yaml",
        internal="10.0.0.12",
        ports={7234: "history", 6934: "history"},
        members=MEMBERS,
        shards=512,
        login="temporal_blue",
        pools={"10.0.0.12": 60, "10.0.0.11": 40},
        clocks={"history-1": HostClock(3.0, 2.0), "db-1": HostClock(-4.0, 2.0)},
    )
