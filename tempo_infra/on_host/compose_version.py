"""Which compose this host has: remembered for as long as the files that it comes from are the same.

Docker starts three programs to answer that, which is most of what reading an idle host costs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host.durable import replace_file
from tempo_infra.on_host.shell import ENVIRONMENT, StepError, run

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

ASK_S = 45.0  # on a host that may be small and busy
# Where docker looks for itself, its settings and its plugins (docker/cli, cli-plugins/manager).
PLUGINS = ("/root/.docker", "/usr/local/lib/docker", "/usr/local/libexec/docker", "/usr/lib/docker")
FILES = (
    "/root/.docker/config.json",
    *(f"{folder}/docker" for folder in ENVIRONMENT["PATH"].split(":")),
    *(f"{folder}/cli-plugins/docker-compose" for folder in (*PLUGINS, "/usr/libexec/docker")),
)


def compose_version(layout: Layout) -> Optional[str]:
    """Return it as "2.26.1"; None when there is none. Nothing is written."""
    return _remembered(layout) or _ask()


def remember(layout: Layout) -> None:
    """Keep it for the next run; the caller holds the lock."""
    if _remembered(layout) is not None:
        return
    files = _files()
    found = _ask()
    if found:
        body = {"version": found, "files": files}
        replace_file(layout.compose_version, json.dumps(body, sort_keys=True).encode(), 0o600)


def _remembered(layout: Layout) -> Optional[str]:
    try:
        body = json.loads(layout.compose_version.read_text())
        return str(body["version"]) if body["files"] == _files() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files() -> "dict[str, list[int]]":
    """Tell the files apart by what changes when one is replaced, also by one of the same size and time."""
    found = {}
    for path in map(Path, FILES):
        try:
            status = path.stat()
        except OSError:
            continue
        found[str(path)] = [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return found


def _ask() -> Optional[str]:
    try:
        output = run(["docker", "compose", "version", "--short"], deadline_s=ASK_S)
    except StepError:
        return None
    return output.out.strip().lstrip("v") if output.returncode == 0 else None
