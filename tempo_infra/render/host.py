"""One host's settings to its bundle of files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.render import views
from tempo_infra.render.bundle import STATE, Bundle, File, Service
from tempo_infra.render.files import (
    COMPOSE,
    NAMESPACES,
    SERVICE_FILES,
    UNIT,
    service_digest,
    system_files,
    template_folder,
)
from tempo_infra.render.keys import (
    check_compose,
    check_hba,
    check_local_login,
    check_postgresql,
    check_temporal,
)
from tempo_infra.render.roundtrip import check

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.render.engine import Engine
    from tempo_infra.render.files import Spec
    from tempo_infra.sizing import Container, HostSettings

MANAGED = "Managed by tempo-infra; a change made here is shown as drift and not kept."


def bundle(
    engine: Engine, cluster: Cluster, host: Host, settings: HostSettings, view: views.ClusterView
) -> Bundle:
    """Render every file of a host, read each one back, and put them together."""
    values: dict[str, object] = {
        "managed": MANAGED,
        "cluster": view,
        "settings": settings,
        "internal": host.internal,
        "state_folder": STATE,
        "unit": UNIT.path.rpartition("/")[2],
        "postgres_version": cluster.postgres.version,
    }
    files: list[File] = []
    folders: dict[str, str] = {}
    for container in settings.containers:
        own = _service_files(engine, settings, container, values, view)
        if own:
            folders[container.name] = f"{container.name}-{service_digest(own)}"
            files += [replace(f, path=f"services/{folders[container.name]}/{f.path}") for f in own]
    values["host"] = views.host_view(cluster, host, settings, folders)
    values["data_folder"], values["initdb_folder"] = views.data_folder(), views.initdb_folder()
    values["namespaces"] = views.namespaces_of(cluster, host)
    specs = (COMPOSE, *system_files(settings), *((NAMESPACES,) if values["namespaces"] else ()))
    files += [_file(engine, spec, f"{spec.path}.j2", values) for spec in specs]
    return Bundle(host.name, tuple(sorted(files, key=lambda file: file.path)), _services(cluster, settings))


def _service_files(
    engine: Engine,
    settings: HostSettings,
    container: Container,
    values: dict[str, object],
    view: views.ClusterView,
) -> list[File]:
    folder = template_folder(container.name)
    values = {**values, "database": views.DATABASE, "visibility_database": views.VISIBILITY_DATABASE}
    values["password_file"] = views.PASSWORD_FILE
    if folder == "temporal":
        values["temporal"] = views.temporal_view(view, settings, Role(container.name))
    return [
        _file(engine, spec, _template(engine, container.name, folder, spec), values, container.name)
        for spec in SERVICE_FILES.get(folder, ())
    ]


def _template(engine: Engine, service: str, folder: str, spec: Spec) -> str:
    """Prefer a template of just this service to the one it shares."""
    return engine.choose(f"services/{service}/{spec.path}.j2", f"services/{folder}/{spec.path}.j2")


def _file(engine: Engine, spec: Spec, template: str, values: dict[str, object], service: str = "") -> File:
    rendered = engine.render(template, values)
    found = check(rendered, spec.reader)
    if spec is COMPOSE:
        check_compose(found, rendered.template, views.PROJECT, _names(values["host"]))
    if spec.path == "server.yaml":
        check_temporal(found, rendered.template)
    if spec.reader == "hba" and isinstance(found, list):
        check_hba(found, rendered.template)
        check_local_login(found, rendered.template)
    if spec.reader == "pgconf" and isinstance(found, dict):
        check_postgresql(found, rendered.template, int(str(values["postgres_version"])))
    effect = spec.effect.format(service=service)
    return File(spec.path, rendered.text.encode(), spec.mode, spec.uid, effect)


def _names(host: object) -> set[str]:
    return {service.name for service in host.services} if isinstance(host, views.HostView) else set()


def _services(cluster: Cluster, settings: HostSettings) -> tuple[Service, ...]:
    return tuple(
        Service(
            name=container.name,
            role=container.role.value,
            image=cluster.images.reference(views.image(cluster, container)),
            job=container.job,
        )
        for container in settings.containers
    )
