"""What PostgreSQL counts: some since it started, some as they are now."""

from __future__ import annotations

CHECKPOINTS_MOVED, FLUSHES_MOVED = 17, 18  # to views of their own
SINCE_START = (
    "wal_bytes",
    "wal_images",
    "wal_flushes",
    "transactions",
    "checkpoints",
    "requested_checkpoints",
)
NOW = ("dead_rows", "database_mib")
CONNECTIONS = (
    "select count(*) from pg_stat_activity where datname like 'temporal%' and pid <> pg_backend_pid()"
)
MOVED_CHECKPOINTS = {
    "checkpoints": "select num_timed + num_requested from pg_stat_checkpointer",
    "requested_checkpoints": "select num_requested from pg_stat_checkpointer",
}
MOVED_FLUSHES = {"wal_flushes": "select sum(fsyncs) from pg_stat_io where object = 'wal'"}
PARTS = {
    "wal_bytes": "select wal_bytes from pg_stat_wal",
    "wal_images": "select wal_fpi from pg_stat_wal",
    "wal_flushes": "select wal_sync from pg_stat_wal",
    "transactions": "select sum(xact_commit) from pg_stat_database where datname like 'temporal%'",
    "checkpoints": "select checkpoints_timed + checkpoints_req from pg_stat_bgwriter",
    "requested_checkpoints": "select checkpoints_req from pg_stat_bgwriter",
    "dead_rows": "select sum(n_dead_tup) from pg_stat_user_tables",
    "database_mib": (
        "select sum(pg_database_size(oid)) / 1048576 from pg_database where datname like 'temporal%'"
    ),
}


def query(version: int) -> str:
    """One row of JSON, asked in Temporal's main database."""
    parts = {
        **PARTS,
        **(MOVED_CHECKPOINTS if version >= CHECKPOINTS_MOVED else {}),
        **(MOVED_FLUSHES if version >= FLUSHES_MOVED else {}),
    }
    pairs = ", ".join(f"'{name}', ({part})" for name, part in parts.items())
    return f"select json_build_object({pairs})"
