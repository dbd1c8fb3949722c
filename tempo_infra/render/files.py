"""The files of a host in one table: place, owner, mode, format, and what a change of it does there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.components.component import ConfigFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.render.bundle import File
    from tempo_infra.sizing import HostSettings


COMPOSE = ConfigFile("docker-compose.yml", "compose", "recreates the services whose lines change")
NAMESPACES = ConfigFile("namespaces.yaml", "yaml", "created or changed in Temporal")
SYSCTL = ConfigFile("etc/sysctl.d/60-tempo-infra.conf", "sysctl", "applied by sysctl")
LIMITS = ConfigFile("etc/security/limits.d/60-tempo-infra.conf", "limits", "new logins")
UNIT = ConfigFile("etc/systemd/system/tempo-infra.service", "unit", "from the next boot on")
WANTS = ConfigFile(
    "etc/systemd/system/multi-user.target.d/60-tempo-infra.conf", "unit", "from the next boot on"
)
THP = ConfigFile("etc/tmpfiles.d/60-tempo-infra.conf", "tmpfiles", "applied by systemd-tmpfiles")
BACKUP_UNIT = ConfigFile("etc/systemd/system/tempo-infra-backup@.service", "unit", "from the next backup on")
BACKUP_TIMER = ConfigFile("etc/systemd/system/tempo-infra-backup.timer", "unit", "restarts the timer")
BACKUP_WANTS = ConfigFile(
    "etc/systemd/system/timers.target.d/60-tempo-infra.conf", "unit", "from the next boot on"
)
BACKUP = (BACKUP_UNIT, BACKUP_TIMER, BACKUP_WANTS)


def system_files(settings: HostSettings) -> tuple[ConfigFile, ...]:
    """Return the files under /etc that this host needs."""
    thp, backup = (THP,) if settings.thp else (), BACKUP if settings.pgbackrest else ()
    return (LIMITS, SYSCTL, UNIT, WANTS, *thp, *backup)


def template_names() -> frozenset[str]:
    """Return the names of all templates, those of a single Temporal service too."""
    whole = (COMPOSE, NAMESPACES, SYSCTL, LIMITS, UNIT, WANTS, THP, *BACKUP)
    own = (
        f"services/{folder}/{spec.path}"
        for one in components.COMPONENTS
        for folder in {one.name, one.templates or one.name}
        for spec in one.whole.files
    )
    return frozenset(f"{path}.j2" for path in (*(spec.path for spec in whole), *own))


def service_digest(files: Iterable[tuple[File, bytes]]) -> str:
    """Return 12 hex digits over names, modes and owners of a service's files, and what it starts with."""
    digest = hashlib.sha256()
    for file, start in sorted(files, key=lambda one: one[0].path):
        content = hashlib.sha256(start).hexdigest()
        digest.update(f"{file.path}\0{file.mode:o}\0{file.uid}\0{content}\n".encode())
    return digest.hexdigest()[:12]
