"""Which compose this host has and what it makes of a file: remembered while the programs are the same.

Docker starts three programs to answer that, which is most of what reading an idle host costs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

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
    known = _remembered(layout).get("version")
    return str(known) if known else _ask()


def configs(layout: Layout, text: str) -> "dict[str, str]":
    """Return service -> the digest that compose writes at a container that it makes from this file.

    Compose recreates a container when that is another one. Empty where it can't say; nothing is written.
    """
    known = _remembered(layout).get("configs")
    if isinstance(known, dict) and known.get("of") == _sha256(text) and isinstance(known.get("are"), dict):
        return {str(name): str(one) for name, one in known["are"].items()}
    return _ask_configs(text)


def remember(layout: Layout) -> None:
    """Keep it for the next run, with the digests of the current generation; the caller holds the lock."""
    files, text = _files(), layout.compose_file.read_text() if layout.compose_file.is_file() else ""
    found = compose_version(layout)
    if not found:
        return
    body = {"version": found, "files": files, "configs": {"of": _sha256(text), "are": configs(layout, text)}}
    if body != _remembered(layout):
        replace_file(layout.compose_version, json.dumps(body, sort_keys=True).encode(), 0o600)


def _remembered(layout: Layout) -> "dict[str, Any]":
    try:
        body = json.loads(layout.compose_version.read_text())
        return body if isinstance(body, dict) and body["files"] == _files() else {}
    except (OSError, ValueError, KeyError):
        return {}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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


def _ask_configs(text: str) -> "dict[str, str]":
    """Ask compose itself: how it comes to a digest differs between its versions."""
    if not text:
        return {}
    words = ["docker", "compose", "-f", "-", "--profile", "*", "config", "--hash", "*"]
    try:
        output = run(words, deadline_s=ASK_S, stdin=text.encode())
    except StepError:
        return {}
    lines = [line.split() for line in output.out.splitlines()] if output.returncode == 0 else []
    return {words[0]: words[1] for words in lines if len(words) == 2}  # noqa: PLR2004 - service and digest
