"""What is done to a host, as data: lists of steps that the program on the host works through."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.components.component import DB_PASSWORD
from tempo_infra.deploy.database_roles import roles_and_databases
from tempo_infra.deploy.engine import behind_the_bridge
from tempo_infra.deploy.locks import lock_step
from tempo_infra.deploy.options import USUAL, Options
from tempo_infra.deploy.preconditions import USERS_RISK, needed, nobodys
from tempo_infra.deploy.summary import of_plan
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.inventory.logins import OWNER
from tempo_infra.inventory.overrides import KERNEL_RISK
from tempo_infra.on_host.backups import CONF
from tempo_infra.on_host.containers import pull_s
from tempo_infra.on_host.manifest import KEY
from tempo_infra.on_host.manifest import NAME as MANIFEST
from tempo_infra.on_host.material import IN_ARCHIVE
from tempo_infra.on_host.steps import change
from tempo_infra.sizing.tables import statements
from tempo_infra.topology import store
from tempo_infra.topology.instances import members as places

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tempo_infra.deploy.bringing import Bring
    from tempo_infra.deploy.feeding import Feed, Todo
    from tempo_infra.deploy.inspect import Supply
    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.secrets import Secrets


SERVES_S = 150.0  # with history.acquireShardInterval as the server has it, history may need 65 s and more


@dataclass(frozen=True, slots=True)
class Work:
    """One host's part of a run."""

    cluster: Cluster
    host: Host
    bundle: Bundle
    plan: HostPlan
    run: str
    who: str
    options: Options = USUAL
    feed: Feed | None = None  # images that it is sent


def prepare(work: Work, supply: Supply) -> list[Todo]:
    """Everything that leaves the running system alone: files and secrets staged and verified, images."""
    steps: list[Todo] = [lock_step(work.run), note(work.run, of_plan(work.plan), work.who)]
    if work.plan.keeps_generation:
        return steps
    if work.plan.files_only:
        return [*steps, preflight(work), _stage(work, supply)]
    if work.options.bootstrap:
        steps.append(change.Bootstrap())
    steps.append(preflight(work))
    if work.plan.new_data:
        steps.append(change.DiskSpeed())
    steps += [
        _stage(work, supply),
        change.Validate(work.plan.digest),
        *brought(work.plan.bring, work.feed),
        change.Pull(list(work.plan.pull), pull_s(len(work.plan.pull))),
        *([change.TrialStart(work.plan.digest)] if work.host.has(Role.POSTGRESQL) else []),
    ]
    return steps


def brought(bring: Bring, feed: Feed | None) -> list[Todo]:
    """Bring the images that a host lacks: sent, or given their names."""
    return [*([feed] if feed else []), *([change.Tag(dict(bring.names))] if bring.names else [])]


def note(run: str, what: str, who: str) -> change.Note:
    """Let the host's journal say what the run is about, which `history` shows."""
    return change.Note(run, what, who)


def preflight(work: Work) -> change.Preflight:
    """All that the plan saw and that may have moved, looked at once more under the lock."""
    size, files = needed(work.bundle, work.feed.parcel.length if work.feed else 0)
    return change.Preflight(
        bytes=size,
        files=files,
        internal=work.host.internal,
        bindings=list(work.plan.bind),
        subnets=list(work.plan.subnets),
        rules=bool(behind_the_bridge(work.host, work.bundle)),
        database=work.host.has(Role.POSTGRESQL),
        new_data=work.plan.new_data,
        forget=work.options.new_database,
        data_uid=work.bundle.users.postgresql,
        nobodys=nobodys(work.bundle, work.plan.seen, shared=USERS_RISK in work.cluster.accept),
        kernel=dict(work.bundle.manifest.kernel) if _insists(work) else {},
        cluster=work.cluster.name,
        renamed_from=work.options.renamed_from,
        image_bytes=work.feed.room if work.feed else 0,
    )


def _insists(work: Work) -> bool:
    """Whether a kernel that refuses a setting fails the run."""
    return KERNEL_RISK not in work.cluster.accept


def _stage(work: Work, supply: Supply) -> change.Stage:
    archive = pack(work.bundle, material_of(work.bundle, supply))
    return change.Stage(
        digest=work.plan.digest,
        sha256=hashlib.sha256(archive).hexdigest(),
        length=len(archive),
        repair=list(work.plan.repair),
        aside=f"taken-over/{work.run}",
        payload=archive,
    )


def _up(work: Work, services: list[str], *, remove_orphans: bool = False) -> change.Up:
    """Bring services up; recreate those of which compose would not see that something is wrong."""
    repaired = {folder.partition("/")[2].rpartition("-")[0] for folder in work.plan.repair}
    return change.Up(services, remove_orphans, sorted({*repaired, *work.plan.recreates} & set(services)))


def database_ready(cluster: Cluster, deadline_s: float) -> change.PostgresReady:
    at = store(cluster).at
    return change.PostgresReady(at.address, at.port, deadline_s)


def switch_files(work: Work) -> list[Step]:
    """Switch a host whose owned system files change and nothing else."""
    return [arm(work), _switch(work), healthy(work)]


def start_database(work: Work, secrets: Secrets) -> list[Step]:
    """Switch the database host and bring PostgreSQL up to its own answer, with its roles and schema."""
    alone = not beside_the_database(work)
    steps = [
        arm(work),
        _switch(work),
        change.Data(work.plan.new_data, work.options.new_database, work.bundle.users.postgresql),
        _up(work, ["postgresql"], remove_orphans=alone),  # else the others' step takes away what left
        database_ready(work.cluster, deadline_s=120.0),
        change.Sql(payload=roles_and_databases(secrets).encode()),
        *_backups(work),
        change.Schema(deadline_s=work.cluster.timing.schema_s(work.plan.data_bytes)),
        *(
            change.Sql(name, spares_locks=True, payload=sql.encode())
            for name, sql in statements(work.cluster).items()
        ),
    ]
    return [*steps, healthy(work)] if alone else steps


def _backups(work: Work) -> list[Step]:
    """Make the repositories ready where what is known of them is new, or the database is."""
    backup, plan = work.cluster.backup, work.plan
    files = {one.path.rpartition("/")[2] for one in plan.changes}
    keys = any(one.name.startswith("postgresql") for one in plan.secrets)
    if backup is None or not (plan.new_data or CONF in files or keys):
        return []
    return [change.PrepareBackups(list(range(1, len(backup.repositories) + 1)))]


def start_temporal(
    work: Work, *, switched: bool, begins: bool = False, late: Collection[Role] = ()
) -> list[Step]:
    """Switch a Temporal host and bring its roles up until each one serves, the late ones not yet.

    Where the cluster begins on it, one role serves before the others start: several together on an empty
    database write the same row, and all but one of them end.
    """
    roles = work.host.temporal_roles
    kept = beside_the_database(work)
    # The UI asks the frontend only.
    steps = [_database_answers(work.cluster), login(work.cluster)] if roles else []
    steps += [] if switched else [arm(work), _switch(work)]
    if begins and len(roles) > 1:
        first = [role for role in roles if role is not Role.WORKER][:1]  # that one needs a frontend to serve
        steps += [_up(work, [str(role) for role in first]), serves(work.host, first)]
    if late:
        now, serving = [name for name in kept if name not in late], [one for one in roles if one not in late]
        return [
            *steps,
            *([_up(work, now)] if now else []),
            *([serves(work.host, serving)] if serving else []),
        ]
    return [*steps, *_start_all(work, kept)]


def start_late(work: Work) -> list[Step]:
    """Bring up what had to wait for services of other hosts, until all of the host serves."""
    return _start_all(work, beside_the_database(work))


def _start_all(work: Work, kept: list[str]) -> list[Step]:
    roles = work.host.temporal_roles
    up = _up(work, kept, remove_orphans=True)
    return [up, *([serves(work.host, roles)] if roles else []), healthy(work)]


def beside_the_database(work: Work) -> list[str]:
    """Return the services that run on a host beside its database."""
    return [
        name for name, one in work.bundle.instances.items() if not one.job and one.component != "postgresql"
    ]


def serves(host: Host, roles: Iterable[Role], deadline_s: float = SERVES_S) -> change.Serving:
    ports = {str(role): components.port(role, "grpc") for role in roles}
    return change.Serving(host.internal, ports, deadline_s)


def _database_answers(cluster: Cluster) -> change.DatabaseAnswers:
    at = store(cluster).at
    return change.DatabaseAnswers(at.address, at.port, deadline_s=10.0)


def login(cluster: Cluster) -> change.Login:
    """Try a real login over the network with the password file that the services will read."""
    used, main = cluster.secrets.login, store(cluster)
    return change.Login(
        host=main.at.address,
        port=main.at.port,
        database=main.database,
        role=used.role,
        acts_as=OWNER,
        file=f"{used.reader}/{DB_PASSWORD}",
    )


def members(cluster: Cluster, may_lack: Collection[tuple[str, Role]] = ()) -> change.Membership:
    """Compare the cluster's own membership with the inventory; asked on the database host.

    `may_lack`: (host, role) that may be missing.
    """
    expected, lack = _places(cluster, may_lack, "membership")
    return change.Membership(expected, deadline_s=90.0, may_lack=lack)


def ring(cluster: Cluster, host: Host, may_lack: Collection[tuple[str, Role]] = ()) -> change.Ring:
    """Compare the ring with the inventory, as this host's frontend sees it."""
    expected, lack = _places(cluster, may_lack, "grpc")
    return change.Ring(expected, lack, host.internal, components.port("frontend", "grpc"))


def _places(
    cluster: Cluster, may_lack: Collection[tuple[str, Role]], port: str
) -> tuple[list[str], list[str]]:
    """Return where every service of Temporal's is expected, and which of those may be missing."""
    found = places(cluster, port)
    return sorted(found.values()), sorted(found[one] for one in may_lack if one in found)


def members_gone() -> change.MembersGone:
    """Let the rows of servers that ended just now grow old: the first to start would try to join them."""
    return change.MembersGone()


def local_login() -> change.LocalLogin:
    """Ask whether `members` will be answered, on a database host that is not changed itself."""
    return change.LocalLogin()


def make_namespaces(cluster: Cluster) -> change.Namespaces:
    hours = {namespace.name: namespace.retention_hours for namespace in cluster.temporal.namespaces}
    return change.Namespaces(hours)


def arm(work: Work) -> change.Arm:
    """From here on the host puts itself back, whoever is gone; nothing was changed before."""
    return change.Arm(
        run=work.run,
        who=work.who,
        digest=work.plan.digest,
        seen=work.plan.seen,
        host=work.host.internal,
        take_over=list(work.plan.take_over),
        on_failure=work.options.on_failure,
        grace_s=work.cluster.timing.decide_after_s,
        soak_s=work.cluster.timing.soak_s,
        inventory=work.cluster.digest,
    )


def healthy(work: Work) -> change.Healthy:
    return change.Healthy(work.run)


def still(work: Work) -> change.Still:
    return change.Still(work.run, work.cluster.timing.soak_s)


def confirm(work: Work) -> change.Confirm:
    return change.Confirm(work.run, "health", work.cluster.timing.soak_s)


def put_back(work: Work, why: str) -> change.Rollback:
    return change.Rollback(work.run, why)


def _switch(work: Work) -> change.Switch:
    return change.Switch(work.plan.digest, dict(work.plan.installed), _insists(work))


def material_of(bundle: Bundle, supply: Supply) -> dict[str, bytes]:
    """Return what a host's secrets are, and the key of their digests, by path in the archive."""
    values = {
        f"{IN_ARCHIVE}{path}": supply.secrets[name].value.encode() for path, name in bundle.secrets.items()
    }
    return {KEY: supply.found.material_key, **values} if values else {}


def pack(bundle: Bundle, material: Mapping[str, bytes]) -> bytes:
    """Pack a bundle, its manifest and what is secret in it; the same bytes for the same content."""
    import gzip
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in (
            *((file.path, file.content) for file in bundle.files),
            *sorted(material.items()),
            (MANIFEST, bundle.manifest.text),
        ):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)
