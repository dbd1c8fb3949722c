"""What of a file a running server reads anew; the rest is what its service was started with.

A service's folder is named by what it was started with, so that a container is recreated exactly when that
changes, and so that after a crash none starts with another generation's. What the server reads anew is
written into the folder while it runs, and the server is told.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tempo_infra.inventory.dynamic_config import duration_s, is_live
from tempo_infra.inventory.parameters import postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.components.component import ConfigFile

# Of pg_settings: what a reload changes in sessions that are there, too. "backend" and "superuser-backend"
# reach new sessions only, and Temporal keeps its own for an hour.
RELOADED = ("sighup", "user", "superuser")
POLL_S = 10.0  # of `reloading.take_up`, which waits for two of them and some more
SAYS_SO = ("info", "debug")


def started_with(spec: ConfigFile, text: str, found: object, version: int) -> str:
    """Return the part of a file that only a start takes up; all of it for a file that is read once.

    `found` is what its reader makes of the text.
    """
    if not spec.reloaded:
        return text
    if (
        not isinstance(found, dict) or spec.reader == "ini"
    ):  # who may log in; what each run of a program reads
        return ""
    return _plain(_of_postgresql(found, version) if spec.reader == "pgconf" else _of_temporal(found))


def polls(server: Any) -> bool:  # noqa: ANN401  # parsed YAML
    """Whether a server with this `server.yaml` soon reads its dynamic configuration anew, and says so."""
    try:
        level, every = server["log"]["level"], server["dynamicConfigClient"]["pollInterval"]
    except (KeyError, TypeError):
        return False
    return level in SAYS_SO and 0 < duration_s(str(every)) <= POLL_S


def _of_postgresql(found: Mapping[str, str], version: int) -> dict[str, str]:
    """Parameters of a library are taken for such: nobody knows when it reads them."""
    known = postgresql(version)
    return {
        name: value
        for name, value in found.items()
        if name.casefold() not in known or known[name.casefold()].context not in RELOADED
    }


def _of_temporal(found: Mapping[str, object]) -> dict[str, object]:
    """Keys in small letters, as the server compares them."""
    return {name.casefold(): values for name, values in found.items() if not is_live(name, values)}


def _plain(values: Mapping[str, object]) -> str:
    return json.dumps(values, sort_keys=True)
