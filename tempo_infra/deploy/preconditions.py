"""What stands in the way of a change on one host, from its state alone; each one ends the run beforehand."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tempo_infra.deploy import engine, network, responses
from tempo_infra.deploy.responses import manifest
from tempo_infra.hints import hint
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host import accounts, cluster_name, data_folder, identity
from tempo_infra.on_host.condition import startable
from tempo_infra.on_host.manifest import WITHOUT_INSTANCES
from tempo_infra.on_host.users import OWN
from tempo_infra.render.instances import fixed_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tempo_infra.deploy.options import Options
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle

USERS_RISK = "shared-user-ids"
SPARE_BYTES = 512 * 1024 * 1024  # left free on the state folder's disk beside twice the payload
SPARE_FILES = 1000


@dataclass(frozen=True, slots=True)
class Fixed:
    """What can't be changed once a cluster has started; empty where nothing is rendered that says it."""

    shards: int = 0
    cluster: str = ""  # Temporal's own name for it
    databases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator has asked for beyond the usual."""

    bootstrap: bool = False  # Docker may be missing
    take_over: bool = False  # owned files that were edited may be written over
    new_database: bool = False  # the database that has been here is given up
    renamed_from: str = ""  # hosts of the cluster of that name are this one's
    shared_users: bool = False  # others may have the numbers that containers run as
    fixed: Fixed = field(default_factory=Fixed)


def allowed(options: Options, cluster: Cluster, bundles: Sequence[Bundle]) -> Allowed:
    return Allowed(
        options.bootstrap,
        options.take_over,
        options.new_database,
        options.renamed_from,
        USERS_RISK in cluster.accept,
        fixed_values(bundles),
    )


def of_inventory(cluster: Cluster) -> tuple[tuple[str, str], ...]:
    """Return what stands in the way on every host: its place in the inventory, and what to do."""
    place = cluster.place("images", "digests")
    if unpinned := [name for name in cluster.brought if not cluster.images.content(name)]:
        what = (
            f"{', '.join(unpinned)}: brought by ssh, and nothing says which content; "
            f"`{hint('images pin', cluster.path)}` writes the digests of what is in images.archives"
        )
        return ((place, what),)
    if not cluster.floating or "floating-images" in cluster.accept:
        return ()
    what = (
        f"{', '.join(cluster.floating)}: only names, whose content may change with the next pull; "
        f"`{hint('images pin', cluster.path)}` writes their digests "
        "(or take the risk: accept: [floating-images])"
    )
    return ((place, what),)


def nobodys(bundle: Bundle, generation: str | None, *, shared: bool) -> list[int]:
    """Return the user numbers that have to be nobody's on a host before anything of ours is there.

    Later it is said with each plan, and stands in no way: the containers run as them already. Nor can data
    that is there be given to another number.
    """
    if generation is not None or shared:
        return []
    database = any(one.component == Role.POSTGRESQL.value for one in bundle.instances.values())
    return sorted(accounts.readers(bundle.users, database=database).keys() & set(OWN.numbers))


def needed(bundle: Bundle, arriving: int = 0) -> tuple[int, int]:
    """Return the bytes and inodes that a push of this bundle wants free: twice its payload, and a reserve.

    `arriving`: bytes of images that are brought, which lie there until they are loaded.
    """
    payload = sum(len(file.content) for file in bundle.files)
    return 2 * payload + arriving + SPARE_BYTES, 2 * len(bundle.files) + SPARE_FILES


def bindings(bundle: Bundle) -> list[str]:
    """Return address:port that services listen on, on their host."""
    return [port for one in bundle.instances.values() for port in one.listens]


def to_bind(bundle: Bundle, state: HostState) -> list[str]:
    """Return address:port that nothing of ours listens on yet."""
    holding = [one for one in state.containers if one.running or not startable(one)]  # a paused one does
    ours = {port for container in holding for port in container.ports}
    return sorted(port for port in bindings(bundle) if port not in ours)


def fixed_values(bundles: Sequence[Bundle]) -> Fixed:
    """Return what is fixed, by any server of Temporal's: an own template may say another name."""
    for one in (one.data for bundle in bundles for one in bundle.instances.values() if "shards" in one.data):
        return Fixed(int(one["shards"]), one["cluster"], tuple(one["databases"].split()))
    return Fixed()


def problems(host: Host, bundle: Bundle, state: HostState, allowed: Allowed) -> tuple[str, ...]:
    """Return everything that speaks against a push, each with what to do."""
    found = (
        *([state.open_run] if state.open_run else []),
        *_another_clusters(bundle, state, allowed),
        *_machine(host, bundle, state),
        *engine.objections(host, bundle, state, bootstrap=allowed.bootstrap),
        *_ports(bundle, state),
        *network.against(host.name, bundle, state),
        *_data(host, bundle, state, new_database=allowed.new_database),
        *_users(bundle, state, shared=allowed.shared_users),
        *_fixed_since(bundle, state),
        *(_fixed_in(allowed.fixed, state) if host.has(Role.POSTGRESQL) else ()),
    )
    return tuple(dict.fromkeys(found))


def _another_clusters(bundle: Bundle, state: HostState, allowed: Allowed) -> Iterator[str]:
    if why := cluster_name.why_not(manifest(state).cluster, bundle.cluster, allowed.renamed_from):
        yield why


def _machine(host: Host, bundle: Bundle, state: HostState) -> Iterator[str]:
    if not state.service_manager:
        yield "no systemd: a host without it can't be put back after a lost connection"
    if host.internal not in state.addresses:
        seen = ", ".join(address for address in state.addresses if not address.startswith("127.")) or "none"
        yield f"internal address {host.internal} is not up on this host (it has: {seen})"
    size, files = needed(bundle)
    if state.state_free_bytes < size:
        free = state.state_free_bytes // 2**20
        yield f"/var/lib/tempo-infra needs {size // 2**20} MiB, {free} MiB are free"
    if state.state_free_inodes is not None and state.state_free_inodes < files:
        yield f"/var/lib/tempo-infra has only {state.state_free_inodes} inodes left"
    for folder in state.read_only:
        yield f"{folder} is mounted read-only"


def _ports(bundle: Bundle, state: HostState) -> Iterator[str]:
    free = to_bind(bundle, state)
    for one, who in state.taken.items():
        if one in free:
            yield f"port {one} is taken by {who}: stop it, or give it another port"


def _data(host: Host, bundle: Bundle, state: HostState, *, new_database: bool) -> Iterator[str]:
    if not host.has(Role.POSTGRESQL):
        return
    number = state.system_identifier
    pin = None if new_database and number is None else state.pinned
    had = any(container.service == "postgresql" for container in state.containers)
    if full := data_folder.too_full(state.data_free_bytes, new=number is None):
        yield full
    if state.data_problem:
        yield state.data_problem
    elif why := identity.why_not(pin, number, state.data_others):
        yield why
    elif number is None and had and not new_database:
        yield (
            "/srv/tempo/postgres holds no database, but PostgreSQL has run here: is its volume mounted? "
            "(If that data is lost for good, --new-database makes an empty one)"
        )
    elif number is not None and state.data_version != (major := _major(bundle, state.data_version)):
        yield (
            f"the data directory is PostgreSQL {state.data_version}'s, the image is {major}: it can't start; "
            f"stay on {state.data_version} (postgres.version) until pg_upgrade or a dump has moved the data"
        )


def _users(bundle: Bundle, state: HostState, *, shared: bool) -> Iterator[str]:
    wanted = nobodys(bundle, state.generation, shared=shared)
    for one in state.accounts.shared:
        if one.number in wanted:
            yield f"{one.words} (take it away there, or take the risk: accept: [{USERS_RISK}])"


def _major(bundle: Bundle, here: str | None) -> str | None:
    """Return PostgreSQL's major version by its image's tag; one without a tag is taken to fit."""
    return bundle.instances[Role.POSTGRESQL.value].data.get("major", here)


def _fixed_since(bundle: Bundle, state: HostState) -> Iterator[str]:
    """Refuse another shard count than the last generation's: Temporal would ignore it in silence."""
    old, new = _shards(_data_before(state)), _shards([one.data for one in bundle.instances.values()])
    if old and new and old != new:
        yield _other_shards(", ".join(sorted(old)), ", ".join(sorted(new)))


def _shards(found: Iterable[Mapping[str, str]]) -> set[str]:
    return {one["shards"] for one in found if "shards" in one}


def _data_before(state: HostState) -> Iterator[Mapping[str, str]]:
    """Yield what the last generation's services were fixed to; of format 1, where their files differ."""
    shipped = manifest(state)
    yield from (one.data for one in shipped.instances.values())
    for path, text in state.texts.items() if shipped.format == WITHOUT_INSTANCES else ():
        if path.endswith("/server.yaml"):
            with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):  # edited, or cut
                yield fixed_by(responses.yaml(text))


def _other_shards(was: str, wanted: str) -> str:
    return f"temporal.shards is fixed at first start: the cluster has {was}, the inventory says {wanted}"


def _fixed_in(fixed: Fixed, state: HostState) -> Iterator[str]:
    """Compare with what the running database holds, whoever wrote it."""
    live, clusters = state.live, dict(state.live.clusters)
    if fixed.cluster and clusters and fixed.cluster not in clusters:
        had = ", ".join(sorted(clusters))
        yield f"Temporal's cluster name is fixed at first start: the database has {had}, not {fixed.cluster}"
    shards = clusters.get(fixed.cluster, 0)
    if fixed.shards and shards and shards != fixed.shards:
        yield _other_shards(str(shards), str(fixed.shards))
    if live.system_identifier and state.pinned and state.last_good:
        for name in fixed.databases:
            if name not in live.databases:
                yield f"the database {name} is gone from PostgreSQL: an empty one would be made in its place"


def elsewhere(host: Host, others: Mapping[str, HostState], *, new_database: bool) -> Iterator[str]:
    """Refuse an empty database host while its cluster has run: its data is on another disk or host."""
    ran = sorted(name for name, state in others.items() if name != host.name and state.last_good)
    if ran and not new_database:
        yield (
            f"this host holds no database, but {', '.join(ran)} ran with one: an empty cluster would be made "
            "beside its data (if that data is lost for good, --new-database makes an empty one)"
        )
