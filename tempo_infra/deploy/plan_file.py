"""A plan kept in a file: bound to what it saw on each host, so that nothing else is ever applied."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tempo_infra import trees
from tempo_infra.deploy.responses import harmless
from tempo_infra.errors import InputError
from tempo_infra.on_host.wire import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.deploy.run import Plan
    from tempo_infra.on_host.state import HostState

FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024  # of a plan file


def parts(state: HostState) -> dict[str, str]:
    """Digest what a plan rests on, part by part; secrets by their presence only."""
    seen = {
        "generation": [state.generation, state.confirmed],
        "files": sorted(state.installed.items()),
        "containers": [(c.service, c.id, c.running, c.image) for c in state.containers],
        "secrets": sorted(name for name, digest in state.secrets.items() if digest is not None),
        "origin": state.origin and state.origin.digest,
        "data": [state.data_version, state.system_identifier],
        "docker": [state.docker.engine, state.docker.compose],
    }
    return {name: digest(value) for name, value in seen.items()}


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def read_plan(path: Path) -> Mapping[str, Any]:
    """Read a plan file and return its hosts by name. InputError when it is none."""
    try:
        body = harmless(read_json(trees.read(path, MOST_BYTES)), str)
        if body["schema"] != FORMAT:
            raise InputError(f"{path}: a plan of format {body['schema']}, this program reads {FORMAT}")
        hosts = {host["host"]: host for host in body["hosts"]}
        damaged = [name for name, one in hosts.items() if not isinstance(one["state"], dict)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not a plan made by `plan --out`: {error}") from error
    if damaged or not all(isinstance(name, str) for name in hosts):
        raise InputError(f"{path}: not a plan made by `plan --out`: a host without its state")
    return hosts


def moved(kept: Mapping[str, Any], plan: Plan) -> list[tuple[str, str]]:
    """Compare the plan in the file with the one made now: (host, what differs) for each that moved."""
    found = [(one.host, why) for one in plan.hosts if (why := _why(kept.get(one.host), one))]
    missing = kept.keys() - {one.host for one in plan.hosts} - plan.errors.keys()
    return found + [(name, "is in the plan, but not among the hosts of this run") for name in sorted(missing)]


def _why(kept: Mapping[str, Any] | None, now: HostPlan) -> str:
    if kept is None:
        return "is not in the plan"
    if kept.get("digest") != now.digest:
        return "the inventory or the program changed since the plan was made: other files would be written"
    seen = kept["state"]
    differing = [name for name, digest in now.state.items() if seen.get(name) != digest]
    return f"the host moved since the plan was made: {', '.join(differing)}" if differing else ""
