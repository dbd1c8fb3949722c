"""One host's settings to its bundle of files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tempo_infra import components
from tempo_infra.inventory import subnets
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.users import OF_IMAGES, PASSWD
from tempo_infra.render import hba, views
from tempo_infra.render.bundle import STATE, Bundle, File, OwnTemplate
from tempo_infra.render.files import (
    COMPOSE,
    NAMESPACES,
    UNIT,
    service_digest,
    system_files,
)
from tempo_infra.render.floor import Read, judged
from tempo_infra.render.instances import instances, networks
from tempo_infra.render.keys import (
    check_compose,
    check_dynamic,
    check_postgresql,
    check_temporal,
    refuse_template,
)
from tempo_infra.render.parse import places
from tempo_infra.render.reloadable import polls, started_with
from tempo_infra.render.rewriting import written
from tempo_infra.render.roundtrip import check
from tempo_infra.sizing.tables import MAIN, VISIBILITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.components.component import Component, ConfigFile
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.render.engine import Engine, Rendered
    from tempo_infra.render.floor import Beyond
    from tempo_infra.render.material import Placed
    from tempo_infra.sizing import Container, HostSettings


@dataclass(frozen=True, slots=True)
class Made:
    """A rendered file, and the operator's template that made it, if one did."""

    file: File
    own: OwnTemplate | None
    read: Any = None  # compose and server.yaml, as they were read back
    start: bytes = b""  # what of it only a start of its service takes up
    polls: bool = True  # who is started with it takes up what changes in the others

    def read_once(self) -> Made:
        return replace(self, file=replace(self.file, live=False), start=self.file.content)

    def moved(self, folder: str) -> Made:
        return replace(self, file=replace(self.file, path=f"{folder}/{self.file.path}"))


SERVER = "server.yaml"
OF_SERVERS = f"services/temporal/{SERVER}.j2"
MANAGED = "Managed by tempo-infra; a change made here is shown as drift and not kept."


def bundle(
    engine: Engine,
    cluster: Cluster,
    host: Host,
    settings: HostSettings,
    view: views.ClusterView,
    secret: Placed,
) -> Bundle:
    """Render every file of a host, read each one back, and put them together."""
    values: dict[str, object] = {
        "managed": MANAGED,
        "cluster": replace(view, subnet=subnets.of_host(cluster, host)),
        "settings": settings,
        "internal": host.internal,
        "state_folder": STATE,
        "unit": UNIT.path.rpartition("/")[2],
        "postgres_version": cluster.postgres.version,
        "temporal_version": cluster.temporal.version,
        "backup": views.backup_view(cluster),
    }
    made: list[Made] = []
    folders: dict[str, str] = {}
    servers: dict[str, Any] = {}  # server.yaml by service
    for container in settings.containers:
        own = _service_files(engine, cluster, settings, container, values, view)
        if own:
            folder = f"{container.name}-{service_digest([(one.file, one.start) for one in own])}"
            folders[container.name] = folder
            servers[container.name] = next((one.read for one in own if one.file.path == SERVER), None)
            made += [
                replace(one, file=replace(one.file, path=f"services/{folder}/{one.file.path}")) for one in own
            ]
    users = secret.users
    if users != OF_IMAGES:
        file = File("passwd", PASSWD.encode(), 0o644, 0, "restarts all services")
        folders[views.ACCOUNTS] = f"{views.ACCOUNTS}-{service_digest([(file, file.content)])}"
        made.append(Made(file, None).moved(f"services/{folders[views.ACCOUNTS]}"))
    view_of_host = views.host_view(cluster, host, settings, views.Folders(folders, secret.folders), users)
    values["host"] = view_of_host
    values["data_folder"], values["initdb_folder"] = views.data_folder(), views.initdb_folder()
    values["namespaces"] = views.namespaces_of(cluster, host)
    specs = (COMPOSE, *system_files(settings), *((NAMESPACES,) if values["namespaces"] else ()))
    made += [_made(engine, cluster, spec, (f"{spec.path}.j2",), values) for spec in specs]
    compose = next(one.read for one in made if one.file.path == COMPOSE.path)
    return Bundle(
        host.name,
        tuple(sorted((one.file for one in made), key=lambda file: file.path)),
        instances(compose, host, view_of_host, servers),
        tuple(sorted({one.own for one in made if one.own}, key=lambda own: own.name)),
        cluster.name,
        users,
        networks(compose),
        secret.material,
        secret.secrets,
    )


def _service_files(
    engine: Engine,
    cluster: Cluster,
    settings: HostSettings,
    container: Container,
    values: dict[str, object],
    view: views.ClusterView,
) -> list[Made]:
    component, service = components.of(container.name).having(cluster.options), container.name
    folder = component.templates or service
    values = {**values, "database": MAIN, "visibility_database": VISIBILITY}
    values["password_file"] = views.PASSWORD_FILE
    if component.kind == "temporal":
        values["temporal"] = views.temporal_view(view, settings, Role(service))
    made = []
    for spec in component.files:  # a template of just this service comes before the shared one
        names = (f"services/{service}/{spec.path}.j2", f"services/{folder}/{spec.path}.j2")
        made.append(_made(engine, cluster, spec, names, values, component))
    return made if all(one.polls for one in made) else [one.read_once() for one in made]


def _made(
    engine: Engine,
    cluster: Cluster,
    spec: ConfigFile,
    templates: Sequence[str],
    values: dict[str, object],
    component: Component | None = None,
) -> Made:
    """Render by the first of these templates that is there; the last one is ours."""
    name = engine.choose(*templates)
    # Files of PostgreSQL and Temporal have rules beyond their format, by name: of a service none is meant.
    known = "" if component and component.kind == "service" else spec.path
    own, tls = name in engine.own, OF_SERVERS in engine.own  # that may say how they reach the database
    # Not in the other process: the tables that are loaded for it are there for all then.
    meant = _read(engine.ours(templates[-1], values), spec, cluster, values, known, tls=tls) if own else None

    def taken(rendered: Rendered) -> tuple[str, Any, Sequence[Beyond], str, bool]:
        read = _read(rendered, spec, cluster, values, known, tls=tls)
        found = read.found if known in (COMPOSE.path, SERVER) else None
        beyond = judged(cluster, known, rendered.template, read, meant) if meant and not spec.free else ()
        text = written(MANAGED, rendered, read.found, spec.reader) if meant else read.text
        start = started_with(spec, text, read.found, int(cluster.postgres.version))
        return text, found, beyond, start, known != SERVER or polls(read.found)

    text, found, beyond, start, polled = engine.render(name, values, taken)
    effect = spec.effect.format(service=component.name if component else "")
    live = component is not None and spec.reloaded
    file = File(spec.path, text.encode(), spec.mode, spec.uid, effect, live)
    accepted = ", ".join(dict.fromkeys(risk for risk, _ in beyond))
    template = OwnTemplate(name, tuple(told for _, told in beyond), accepted) if own else None
    return Made(file, template, found, start.encode(), polled)


def _read(
    rendered: Rendered,
    spec: ConfigFile,
    cluster: Cluster,
    values: Mapping[str, object],
    known: str,
    *,
    tls: bool,
) -> Read:
    """Read a rendered file back. InputError for one that its reader on the host takes for something else."""
    found = check(rendered, spec.reader)
    if spec is COMPOSE:
        check_compose(found, rendered.template, views.PROJECT, _names(values.get("host")))
    if known == SERVER:
        refuse_template(rendered.text, rendered.template)
        check_temporal(found, rendered.template)
    if known == "dynamic.yaml":
        temporal = cluster.temporal
        check_dynamic(found, rendered.template, temporal.version, temporal.shards)
    if spec.reader == "hba" and isinstance(found, list):
        hba.check_lines(found, rendered.template)
        view = values["cluster"]
        clients = view.clients if isinstance(view, views.ClusterView) else ()
        logins = hba.Logins(cluster.secrets.login.role, clients, tls=tls)
        hba.check_logins(found, places(rendered.text), rendered.template, logins)
    if spec.reader == "pgconf" and isinstance(found, dict):
        check_postgresql(found, rendered.template, int(cluster.postgres.version))
    return Read(rendered.text, found)


def _names(host: object) -> set[str]:
    return {service.name for service in host.services} if isinstance(host, views.HostView) else set()
