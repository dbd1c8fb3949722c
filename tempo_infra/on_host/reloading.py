"""Letting running servers take up files that they reload, and seeing that they did.

Asked of the server itself and of the files, never of what a run did before: so it holds after a change, on
the way back, and when the program that wrote them is gone.
"""

from __future__ import annotations

import calendar
import contextlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import engine, material, psql
from tempo_infra.on_host.shell import StepError, must

if TYPE_CHECKING:
    from typing import Collection, Iterator, Mapping

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.manifest import Manifest

TARGET = "/etc/tempo-infra"  # in the container: the folder of the service's files
ENGINE_S, ASK_S, TAKEN_S, PAUSE_S = 20.0, 15.0, 30.0, 0.2
# A server of Temporal looks every ten seconds (`pollInterval`). What was written longer ago it has seen, and
# its log of then may be gone.
DYNAMIC, TAKEN_UP_S, FORGOTTEN_S, LOOK_EVERY_S = "dynamic.yaml", 30.0, 120.0, 1.0
# As its own message, in either format of its log: in names and errors of others quotes and tabs are escaped.
TAKEN = re.compile(rb'(?:"msg":"|\t)Updated dynamic config')
NOT_TAKEN = re.compile(rb'(?:"msg":"|\t)Unable to update dynamic config')
LOADED = "select extract(epoch from pg_conf_load_time())::float8 as at"
RELOAD = "select pg_reload_conf() as told"
# What the files hold by now and the server did not take.
LEFT = (
    "select left(format('%s:%s: %s: %s', regexp_replace(sourcefile, '.*/', ''), sourceline, name, error),"
    " 300) as what from pg_file_settings where error is not null and sourcefile like '/etc/tempo-infra/%'"
    " union all select left(format('pg_hba.conf:%s: %s', line_number, error), 300) from pg_hba_file_rules"
    " where error is not null"
    " union all select left(format('pg_ident.conf:%s: %s', line_number, error), 300)"
    " from pg_ident_file_mappings where error is not null"
    " union all select format('%s takes effect only after a restart', name) from pg_settings"
    " where pending_restart and sourcefile like '/etc/tempo-infra/%'"
    " limit 20"
)


def reload(deadline_s: float = TAKEN_S) -> "list[str]":
    """Have the database reload its files where they are newer than what it has read; which, by name.

    StepError with the server's own words when it does not take them by the deadline. Nothing is done where no
    database of ours runs: one that starts reads its files.
    """
    container = _running()
    if not container:
        return []
    changed = _changed(container)
    if not changed:
        return []
    psql.ask(container["Id"], RELOAD, deadline_s=ASK_S)
    until = time.monotonic() + deadline_s
    while _changed(container):
        if time.monotonic() > until:
            raise StepError(f"PostgreSQL has not reloaded {', '.join(changed)} in {deadline_s:g} s")
        time.sleep(PAUSE_S)
    left = [str(row["what"]) for row in psql.ask(container["Id"], LEFT, deadline_s=ASK_S)]
    if left:
        raise StepError(f"PostgreSQL runs on without a part of its new files: {' | '.join(left)[:600]}")
    return changed


def take_up(services: "Collection[str]", deadline_s: float = TAKEN_UP_S) -> None:
    """Wait until servers of Temporal have read their dynamic configuration where it was written a moment ago.

    Each looks for a newer file by itself, and says in its log what became of it; so does one that has started
    since. StepError when one does not take it, or has not by the deadline.
    """
    until = time.monotonic() + deadline_s
    waiting = {
        engine.service_of(one): (str(one["Id"]), written_s)
        for one in engine.containers(stopped=False, deadline_s=ENGINE_S)
        if engine.service_of(one) in services
        for written_s in _written(one, DYNAMIC)
        if time.time() - written_s < FORGOTTEN_S
    }
    while waiting:
        for service, (container, written_s) in list(waiting.items()):
            said = engine.log(container, since_s=written_s, deadline_s=ASK_S)
            if NOT_TAKEN.search(said):
                raise StepError(f"{service} runs on without its new {DYNAMIC}: see its log (`docker logs`)")
            if TAKEN.search(said):
                del waiting[service]
        if waiting and time.monotonic() > until:
            raise StepError(f"{min(waiting)} has not reloaded {DYNAMIC} in {deadline_s:g} s")
        time.sleep(LOOK_EVERY_S if waiting else 0)


def signal_readers(layout: Layout, made: Manifest) -> None:
    """Send readers of secrets the signal on which they reload, where one was written since they started."""
    wanted = {
        one.reader: (one.signal, written_s)
        for path, one in made.material.items()
        if one.signal and (written_s := material.written_s(layout, one.live(path)))
    }
    for container in engine.containers(stopped=False, deadline_s=ENGINE_S) if wanted else ():
        signal, written_s = wanted.get(engine.service_of(container), ("", 0.0))
        if signal and written_s > _started_s(container):
            must(["docker", "kill", f"--signal={signal}", str(container["Id"])], deadline_s=ENGINE_S)


def _started_s(container: "Mapping[str, Any]") -> float:
    """Return when it was started ("2026-11-30T00:05:39.892420888Z"), in seconds of the epoch."""
    moment, _, fraction = str(container["State"]["StartedAt"]).rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def _written(container: "Mapping[str, Any]", name: str) -> "Iterator[float]":
    """Yield when a file of a container's own folder was written, in seconds of the epoch."""
    for folder in _folders(container):
        with contextlib.suppress(OSError):
            yield (folder / name).lstat().st_mtime


def _folders(container: "Mapping[str, Any]") -> "list[Path]":
    """Return the folder of a service's files, as its container has it mounted; none where it has none."""
    mounts = container.get("Mounts") or ()
    return [Path(str(one["Source"])) for one in mounts if one.get("Destination") == TARGET]


def _running() -> "Mapping[str, Any]":
    """Return the database's container where it runs, else nothing."""
    for one in engine.containers(stopped=False, deadline_s=ENGINE_S):
        if engine.service_of(one) == psql.SERVICE and not one["State"].get("Restarting"):
            return one
    return {}


def _changed(container: "Mapping[str, Any]") -> "list[str]":
    """Return the files that were written after the server has read them."""
    [row] = psql.ask(container["Id"], LOADED, deadline_s=ASK_S)
    found = []
    for folder in _folders(container):
        with os.scandir(folder) as inside:
            found += [one.name for one in inside if one.stat(follow_symlinks=False).st_mtime > row["at"]]
    return sorted(found)
