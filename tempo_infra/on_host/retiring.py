"""The end of a change of passwords: the old login leaves the hosts, then the database."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import mounts, psql
from tempo_infra.on_host.durable import fsync_folder, hide
from tempo_infra.on_host.probes import logins
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import upkeep

PAUSE_S = 1.0


def unused(args: upkeep.Unused) -> "dict[str, str]":
    """Wait until no session uses these logins any more. StepError names who still does."""
    names = ", ".join(f"'{role}'" for role in args.roles)
    statement = (
        "select usename || ' from ' || coalesce(host(client_addr), 'the socket') || ': ' || count(*) as who"  # noqa: S608  # login names of ours
        f" from pg_stat_activity where usename in ({names}) group by usename, client_addr order by 1"
    )
    end = time.monotonic() + args.deadline_s
    while rows := psql.ask(psql.database_container(), statement, deadline_s=20):
        if time.monotonic() > end:
            raise StepError(
                f"the old login is still in use: {'; '.join(str(row['who']) for row in rows)}",
                remedy="nothing was retired; end those sessions, then run the same command again",
            )
        time.sleep(PAUSE_S)
    return {}


def roles() -> "list[dict[str, Any]]":
    """Return all roles of the database, as they are now that one was retired."""
    container = psql.database_container()
    return [asdict(one) for one in logins.roles(lambda query: psql.ask(container, query, deadline_s=20))]


def forget(layout: Layout, args: upkeep.Forget) -> "dict[str, list[str]]":
    """Take folders of secrets away. StepError when a container reads one of them, or a run is open."""
    armed = guard.read(layout)
    if armed is not None:
        raise StepError(f"run {armed.run} of {armed.who} is not confirmed on this host")
    sources = mounts.mounted()
    gone = []
    for reader in args.readers:
        folder = layout.secrets / reader
        if str(folder) in sources:
            raise StepError(f"a container on this host still reads {folder}")
        if folder.is_dir():
            shutil.rmtree(hide(folder))
            fsync_folder(layout.secrets)
            gone.append(reader)
    return {"gone": gone}
