"""PostgreSQL, which keeps Temporal's stores."""

from __future__ import annotations

from tempo_infra.components.component import (
    Component,
    ConfigFile,
    Memory,
    Option,
    Port,
    Postgres,
    Reach,
    Reads,
)

NEXT = "nothing until the next segment or backup"
BACKUP = Option(
    "backup",
    image="tempo-infra/postgres:{postgres}",  # the official one with pgBackRest: docs/how-to/backups.md
    files=(
        ConfigFile("pgbackrest.conf", "ini", NEXT, reloaded=True),
        ConfigFile("pgbackrest.sh", "sh", NEXT, reloaded=True),
        ConfigFile("backup.sh", "sh", NEXT, reloaded=True),
    ),
    reads=(Reads("backup_passphrase", reloaded=True), Reads("backup_ssh_key", reloaded=True)),
    probe="tempo_infra.on_host.probes.backup",
    checks="tempo_infra.checks.backup",
)
POSTGRESQL = Component(
    name="postgresql",
    kind="postgresql",
    role="postgresql",
    image="postgres:{postgres}",
    user="postgresql",
    memory=Memory(384, 16, leans="memory"),
    pids=0,  # they follow max_connections
    stop_grace_s=120,
    go=False,
    ports=(Port("sql", 5432, Reach.MEMBERS),),
    files=(
        ConfigFile("postgresql.conf", "pgconf", "restarts postgresql", reloaded=True),
        ConfigFile("pg_hba.conf", "hba", "restarts postgresql", reloaded=True),
        ConfigFile("pg_ident.conf", "ident", "restarts postgresql", reloaded=True),
    ),
    health=Postgres(),
    least=1,
    most=1,
    restart="no database meanwhile: every service waits, and tries again",
    optional=(BACKUP,),
)
COMPONENTS = (POSTGRESQL,)
