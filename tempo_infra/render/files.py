"""The files of a host in one table: place, owner, mode, format, and what a change of it does there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import TEMPORAL_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.render.bundle import File
    from tempo_infra.sizing import HostSettings


@dataclass(frozen=True, slots=True)
class Spec:
    """One kind of file. `{service}` in the effect is the service's name."""

    path: str  # on the host, or within the service's folder
    reader: str  # one of parse.READERS
    effect: str
    mode: int = 0o644  # no file holds a secret; containers read theirs as other users
    uid: int = 0


SERVICE_FILES: dict[str, tuple[Spec, ...]] = {
    "postgresql": (
        Spec("postgresql.conf", "pgconf", "restarts postgresql"),
        Spec("pg_hba.conf", "hba", "restarts postgresql"),
        Spec("pg_ident.conf", "ident", "restarts postgresql"),
    ),
    "temporal": (
        Spec("server.yaml", "yaml", "restarts {service}"),
        Spec("dynamic.yaml", "yaml", "restarts {service}"),
    ),
    "schema": (Spec("migrate.sh", "sh", "nothing until the next schema job"),),
}
# Read anew by the server while it runs; the folder's name does not say their whole content.
READ_ANEW = frozenset({"postgresql.conf", "pg_hba.conf", "pg_ident.conf", "dynamic.yaml"})
COMPOSE = Spec("docker-compose.yml", "compose", "recreates the services whose lines change")
NAMESPACES = Spec("namespaces.yaml", "yaml", "created or changed in Temporal")
SYSCTL = Spec("etc/sysctl.d/60-tempo-infra.conf", "sysctl", "applied by sysctl")
LIMITS = Spec("etc/security/limits.d/60-tempo-infra.conf", "limits", "new logins")
UNIT = Spec("etc/systemd/system/tempo-infra.service", "unit", "from the next boot on")
WANTS = Spec("etc/systemd/system/multi-user.target.d/60-tempo-infra.conf", "unit", "from the next boot on")
THP = Spec("etc/tmpfiles.d/60-tempo-infra.conf", "tmpfiles", "applied by systemd-tmpfiles")


def system_files(settings: HostSettings) -> tuple[Spec, ...]:
    """Return the files under /etc that this host needs."""
    return (LIMITS, SYSCTL, UNIT, WANTS, *((THP,) if settings.thp else ()))


def template_folder(service: str) -> str:
    """Return the folder of a service's templates; Temporal's services share one."""
    return "temporal" if service in TEMPORAL_ROLES else service


def template_names() -> frozenset[str]:
    """Return the names of all templates, those of a single Temporal service too."""
    whole = (COMPOSE, NAMESPACES, SYSCTL, LIMITS, UNIT, WANTS, THP)
    folders = [*SERVICE_FILES.items(), *((role.value, SERVICE_FILES["temporal"]) for role in TEMPORAL_ROLES)]
    own = (f"services/{folder}/{spec.path}" for folder, specs in folders for spec in specs)
    return frozenset(f"{path}.j2" for path in (*(spec.path for spec in whole), *own))


def service_digest(files: Iterable[tuple[File, bytes]]) -> str:
    """Return 12 hex digits over names, modes and owners of a service's files, and what it starts with."""
    digest = hashlib.sha256()
    for file, start in sorted(files, key=lambda one: one[0].path):
        content = hashlib.sha256(start).hexdigest()
        digest.update(f"{file.path}\0{file.mode:o}\0{file.uid}\0{content}\n".encode())
    return digest.hexdigest()[:12]
