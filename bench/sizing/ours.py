"""Our settings: the very files that tempo-infra renders for a host of this machine's shape.

Only what ties a file to its place is changed: addresses, ports, and the paths of other files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.sizing.server import (
    ADDRESS,
    FRONTEND,
    POSTGRESQL_PORT,
    ROLES,
    USER,
    Document,
    Process,
    Server,
    Worker,
)
from lab.paths import CHECKOUT
from tempo_infra.inventory.edit import edited
from tempo_infra.inventory.load import loads
from tempo_infra.inventory.scaffold import example
from tempo_infra.render import parse, render
from tempo_infra.sizing import size
from tempo_infra.sizing.tables import statements
from tempo_infra.sizing.temporal import SHARDS_PER_VCPU
from tempo_infra.sizing.workers import Activities, Sdk, worker_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.inventory.problems import Loc
    from tempo_infra.render import Bundle

GIB = 1024**3
PLACE = frozenset({"listen_addresses", "port", "unix_socket_directories"})
IN_CONTAINER = frozenset({"TEMPORAL_SERVICES", "TEMPORAL_SERVER_CONFIG_FILE_PATH"})


@dataclass(frozen=True)
class Shape:
    """What tempo-infra is told of the machine."""

    vcpu: int
    memory_gib: int
    disk_gib: int
    postgresql: str  # the major version of the server's programs here

    @property
    def shards(self) -> int:
        """What keeps this machine busy: for a cluster that stays on one small host (docs/decisions/0001)."""
        return 1 << (self.vcpu * SHARDS_PER_VCPU - 1).bit_length()


def inventory(shape: Shape, chosen: Mapping[str, bool]) -> str:
    """The example of a single host with this machine's resources in it; `chosen` is the operator's own."""
    host: Loc = ("hosts", "solo-1", "resources")
    changes: list[tuple[Loc, str]] = [
        (("postgres", "version"), shape.postgresql),
        ((*host, "vcpu"), str(shape.vcpu)),
        ((*host, "memory"), f"{shape.memory_gib}GiB"),
        ((*host, "disk", "size"), f"{shape.disk_gib}GiB"),
        (("temporal", "shards"), str(shape.shards)),
    ]
    lines = [f"    {name}: {str(value).lower()}\n" for name, value in chosen.items()]
    own = "overrides:\n  temporal:\n" + "".join(lines) if lines else ""
    return edited(example("single.yaml").read_text(), changes) + own


def ours(shape: Shape, *, eager: bool) -> Server:
    """Size and render; `eager` is the operator's opt-in for eager activities."""
    chosen = {"system.enableActivityEagerExecution": True} if eager else {}
    cluster = loads(inventory(shape, chosen), CHECKOUT / "inventory" / "bench.yaml")
    (bundle,) = render(cluster, size(cluster))
    return server(cluster, bundle)


def server(cluster: Cluster, bundle: Bundle) -> Server:
    files = {file.logical: file.content.decode() for file in bundle.files}
    services: Any = parse.yaml(files["docker-compose.yml"])
    processes = []
    for role in ROLES:
        config: Any = parse.yaml(files[f"services/{role}/server.yaml"])
        dynamic: Any = parse.yaml(files[f"services/{role}/dynamic.yaml"])
        given = services["services"][role]["environment"]
        env = {name: str(value) for name, value in given.items() if name not in IN_CONTAINER}
        processes.append(Process((role,), _here(config), dynamic, env))
    lines = parse.pgconf(files["services/postgresql/postgresql.conf"])
    kept = {name: value for name, value in lines.items() if name not in PLACE}
    return Server(tuple(processes), kept, checksums=True, sql=statements(cluster))


def our_worker(vcpu: int, memory_bytes: int = 4 * GIB) -> Worker:
    """What `tempo-infra worker-options --sdk go` says for a machine of so many vCPUs."""
    options = worker_options(Sdk.GO, vcpu, memory_bytes, Activities.IO)
    return Worker(
        workflow_slots=options.workflow_slots,
        activity_slots=options.activity_slots,
        workflow_pollers=options.workflow_pollers,
        activity_pollers=options.activity_pollers,
        cache=options.cached_workflows,
    )


def _here(config: Document) -> Document:
    """Bind and call on this machine; the database asks for no password here."""
    config["global"]["membership"]["broadcastAddress"] = ADDRESS
    for service in config["services"].values():
        service["rpc"]["bindOnIP"] = ADDRESS
        service["rpc"].pop("httpPort", None)
    for store in config["persistence"]["datastores"].values():
        store["sql"]["connectAddr"] = f"{ADDRESS}:{POSTGRESQL_PORT}"
        store["sql"]["user"] = USER
        store["sql"].pop("passwordCommand", None)
    config["clusterMetadata"]["clusterInformation"]["active"]["rpcAddress"] = FRONTEND
    return config
