"""What check-host asks of backups: what the repositories have, and how much of the log is not sent yet."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from tempo_infra.on_host import backups, psql

if TYPE_CHECKING:
    from tempo_infra.on_host.probes.components import Asked

ASK_S = 15.0
# A segment waits from the moment when its `.ready` was written. What failed before what arrived is over.
LOG = """
select (select count(*) from pg_ls_archive_statusdir() where name like '%.ready')::integer as waiting,
 (select coalesce(extract(epoch from now() - min(modification)), 0) from pg_ls_archive_statusdir()
  where name like '%.ready')::float8 as oldest_s,
 extract(epoch from current_setting('archive_timeout')::interval)::integer as timeout_s,
 coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as failing,
 left(last_failed_wal, 64) as failed
from pg_stat_archiver
"""


def read(asked: Asked) -> "dict[str, object]":
    """Return the newest backup of each repository, the repositories, and the state of the log."""
    del asked
    container = psql.database_container()
    [log] = psql.ask(container, LOG, deadline_s=ASK_S)
    found = backups.kept(container)
    good = [backups.newest(found, one.number) for one in found.repositories]
    return {
        "now_s": int(time.time()),
        "repositories": [asdict(one) for one in found.repositories],
        "newest": [asdict(one) for one in good if one],
        "damaged": [asdict(one) for one in found.backups if one.damaged],
        "log": log,
    }
