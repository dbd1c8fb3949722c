"""What templates see: plain values, named as a person names them. No paths of this machine, no methods."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.components.component import DB_PASSWORD, LOGIN, SECRETS
from tempo_infra.inventory import subnets
from tempo_infra.inventory.addresses import with_port
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.inventory.logins import LOCAL, LOCAL_MAP, OWNER, Login
from tempo_infra.on_host.manifest import reloaded_folder
from tempo_infra.on_host.users import OWN
from tempo_infra.render.bundle import STATE
from tempo_infra.sizing.settings import LOG_FILES, LOG_MIB, MIB
from tempo_infra.sizing.tables import MAIN, VISIBILITY
from tempo_infra.sizing.temporal import PLUGIN
from tempo_infra.topology import store
from tempo_infra.topology.instances import LOOPBACK, address, listening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.components.component import Component, Port
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.users import Users
    from tempo_infra.sizing import Container, HostSettings, Setting, Settings

PROJECT = "tempo-infra"  # of Docker Compose; fixed, containers and networks are found by it
PASSWORD_FILE = f"{SECRETS}/tempo-infra/{DB_PASSWORD}"  # in Temporal's containers
FRONTENDS = "frontends"  # in containers, the name of all frontends where there are several
ACCOUNTS = "accounts"  # the folder of the one file that all containers with numbers of our own have


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One container. `kind` is "temporal", "postgresql", "ui", "job" or "service"."""

    name: str
    kind: str
    image: str
    brought: bool  # by ssh: nobody pulls it
    content: str  # of a brought image, the digest of its configuration; "" for others
    user: str
    memory: str
    cpus: float
    pids: int
    nofile: int
    stop_grace: str
    gomemlimit: str
    gogc: str
    log_size: str
    log_files: str
    shm: str
    shares_network: bool  # it has the host's network, and binds the internal address itself
    ports: tuple[str, ...]  # published
    binds: tuple[str, ...]  # address:port, where it listens
    extra_hosts: tuple[str, ...]  # "name:address", where it reaches several frontends under one name
    health_address: str
    health_port: str
    folder: str  # on the host; "" when it has no files of its own
    accounts: str  # the file on the host that is its /etc/passwd; "" for the image's own
    secrets: str  # the folder of the login's password on the host; "" when it does not log in
    own_secrets: str  # that of those which it alone reads, once; "" when there are none
    reloaded_secrets: str  # that of those which it alone reads, and reloads
    command: tuple[str, ...]  # of a service
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Folders:
    """What services' folders on a host are called."""

    files: Mapping[str, str]  # service -> below services/
    secrets: Mapping[str, str]  # service -> below secrets/, of what it alone reads, once


@dataclass(frozen=True, slots=True)
class HostView:
    name: str
    internal: str
    services: tuple[ServiceView, ...]


@dataclass(frozen=True, slots=True)
class RpcView:
    """One entry of `services:` in Temporal's configuration."""

    name: str
    grpc: int
    membership: int
    http: int


@dataclass(frozen=True, slots=True)
class ClusterView:
    name: str
    project: str
    shards: int
    frontend: str  # host:port, or dns:///name:port for several
    rpc_address: str  # host:port, the same in every cluster
    database: str  # host:port
    database_name: str  # by which the schema job reaches it
    database_port: str
    shares_network: bool  # services have their host's own network
    subnet: str  # of the containers of the host that is rendered
    rpc: tuple[RpcView, ...]
    clients: tuple[str, ...]  # networks that may reach the database
    owner: str  # the role that owns the databases
    login: str  # the member of it that is in use
    logins: str  # all that come over the network, as pg_hba.conf lists them
    local_login: str  # on the container's socket, by its entry in pg_ident.conf
    local_map: str


@dataclass(frozen=True, slots=True)
class PoolView:
    plugin: str
    database: str
    user: str
    password_file: str
    connections: int


@dataclass(frozen=True, slots=True)
class TemporalView:
    role: str
    default: PoolView
    visibility: PoolView
    shares_network: bool
    metrics: str  # host:port
    dynamic: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class NamespaceView:
    name: str
    retention: str


@dataclass(frozen=True, slots=True)
class BackupView:
    """When backups are taken, of how many repositories."""

    at: str  # "02:30"
    full_days: int
    repositories: tuple[int, ...]  # their numbers


def backup_view(cluster: Cluster) -> BackupView | None:
    """Return what templates of backups see; None without any."""
    backup = cluster.backup
    if backup is None:
        return None
    numbers = range(1, len(backup.repositories) + 1)
    return BackupView(backup.at, backup.full_days, tuple(numbers))


def namespaces_of(cluster: Cluster, host: Host) -> tuple[NamespaceView, ...]:
    """Return the cluster's namespaces for a frontend host, from any of which they are made; else none."""
    if not host.has(Role.FRONTEND):
        return ()
    return tuple(NamespaceView(one.name, f"{one.retention_hours}h") for one in cluster.temporal.namespaces)


def addresses_of(cluster: Cluster, *roles: Role) -> tuple[str, ...]:
    """Return the internal addresses of the hosts that have one of these roles, in numeric order."""
    return tuple(sorted((one.internal for one in cluster.with_role(*roles)), key=_numeric))


def _numeric(address: str) -> tuple[int, int]:
    found = ip_address(address)
    return found.version, int(found)


def frontend_address(cluster: Cluster) -> str:
    """Return where UI and command line find a frontend: gRPC takes one that answers of all of a name."""
    addresses, port = addresses_of(cluster, Role.FRONTEND), components.port("frontend", "grpc")
    return with_port(addresses[0], port) if len(addresses) == 1 else f"dns:///{FRONTENDS}:{port}"


def _frontend_hosts(cluster: Cluster, host: Host) -> tuple[str, ...]:
    """Return the addresses behind that name. Compose before 2.24 keeps the last one: the host's own."""
    addresses = addresses_of(cluster, Role.FRONTEND)
    own_last = sorted(addresses, key=host.internal.__eq__)
    return tuple(f"{FRONTENDS}:{one}" for one in own_last) if len(addresses) > 1 else ()


def _rpc(cluster: Cluster, component: Component) -> RpcView:
    http = (port.number for port in listening(cluster, component) if port.name == "http")
    return RpcView(component.name, component.at("grpc"), component.at("membership"), next(http, 0))


def _log_in(cluster: Cluster, database: str) -> set[Role]:
    """Return the roles whose hosts log in to it. A job comes from the bridge, where it has one."""
    needing = (one for one in components.COMPONENTS if database in one.needs)
    return {Role(one.role) for one in needing if not one.is_job or cluster.shares_network}


def cluster_view(cluster: Cluster, settings: Settings) -> ClusterView:
    main = store(cluster)
    subnet = subnets.of_host(cluster, main.writer)
    clients = (str(ip_network(one)) for one in addresses_of(cluster, *_log_in(cluster, main.component)))
    return ClusterView(
        name=cluster.name,
        project=PROJECT,
        shards=settings.shards,
        frontend=frontend_address(cluster),
        rpc_address=with_port(LOOPBACK, components.port("frontend", "grpc")),
        database=str(main.at),
        database_name=main.at.address if cluster.shares_network else main.component,
        database_port=str(main.at.port),
        shares_network=cluster.shares_network,
        subnet=subnet,
        rpc=tuple(_rpc(cluster, components.of(role)) for role in sorted(TEMPORAL_ROLES)),
        clients=(*clients, subnet),
        owner=OWNER,
        login=cluster.secrets.login.role,
        logins=",".join((OWNER, *(login.role for login in Login))),  # OWNER: from before there were two
        local_login=LOCAL,
        local_map=LOCAL_MAP,
    )


def host_view(
    cluster: Cluster, host: Host, settings: HostSettings, folders: Folders, users: Users
) -> HostView:
    services = tuple(
        service_view(cluster, host, container, folders, users) for container in settings.containers
    )
    return HostView(host.name, host.internal, services)


def temporal_view(view: ClusterView, settings: HostSettings, role: Role) -> TemporalView:
    sized = settings.temporal[role]
    password = PASSWORD_FILE
    return TemporalView(
        role=role.value,
        default=PoolView(PLUGIN, MAIN, view.login, password, sized.max_conns),
        visibility=PoolView(PLUGIN, VISIBILITY, view.login, password, sized.visibility_max_conns),
        shares_network=view.shares_network,
        metrics=with_port(LOOPBACK, components.port(role, "metrics")),
        dynamic=sized.dynamic,
    )


def service_view(
    cluster: Cluster, host: Host, container: Container, folders: Folders, users: Users
) -> ServiceView:
    component = components.of(container.name).having(cluster.options)
    ports = listening(cluster, component)
    shares = cluster.shares_network and component.binds
    uid = int(getattr(users, component.user))
    image = component.image.format_map(cluster.versions)
    reloads = any(one.reloaded for one in component.own_material)
    return ServiceView(
        name=container.name,
        kind=component.kind,
        image=cluster.images.reference(image),
        brought=cluster.images.is_brought(image),
        content=cluster.images.content(image),
        user=f"{uid}:{uid}",
        memory=_mebibytes(container.memory_bytes),
        cpus=container.cpus,
        pids=container.pids,
        nofile=container.nofile,
        stop_grace=f"{container.stop_grace_s}s",
        gogc=str(container.gogc or ""),
        gomemlimit=f"{(container.gomemlimit_bytes or 0) // MIB}MiB",
        log_size=f"{LOG_MIB}m",
        log_files=str(LOG_FILES),
        shm=_mebibytes(container.shm_bytes or 0),
        shares_network=shares,
        ports=() if shares else tuple(_published(host, port) for port in ports),
        binds=tuple(with_port(address(host, port), port.number) for port in ports),
        extra_hosts=_frontend_hosts(cluster, host) if Role.FRONTEND in component.asks else (),
        health_address=host.internal if shares else LOOPBACK,
        health_port=str(ports[0].number) if ports else "",
        folder=_folder(folders.files, container.name),
        accounts=f"{_folder(folders.files, ACCOUNTS)}/passwd" if uid in OWN.numbers else "",
        secrets=_secrets(cluster.secrets.login.reader if LOGIN in component.reads else ""),
        own_secrets=_secrets(folders.secrets.get(component.name, "")),
        reloaded_secrets=_secrets(reloaded_folder(component.name) if reloads else ""),
        command=component.command,
        environment=component.environment,
    )


def _folder(folders: Mapping[str, str], name: str) -> str:
    return f"{STATE}/services/{folders[name]}" if name in folders else ""


def _secrets(folder: str) -> str:
    return folder and f"{STATE}/secrets/{folder}"


def _published(host: Host, port: Port) -> str:
    """Return a port as compose publishes it, on the address where it is reached."""
    return f"{with_port(address(host, port), port.number)}:{port.number}"


def data_folder() -> str:
    """Return the host's link to the folder of PostgreSQL's data."""
    return f"{STATE}/pgdata"


def initdb_folder() -> str:
    """Return the folder that tells PostgreSQL's image whether it may make a database."""
    return f"{STATE}/initdb"


def _mebibytes(size: int) -> str:
    return f"{size // MIB}m"
