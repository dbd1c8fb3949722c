"""What containers have mounted, and what a compose file mounts: asked, never read off its text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Iterable

from tempo_infra.on_host import engine, manifest
from tempo_infra.on_host.shell import StepError, must

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout


def mounted() -> "set[str]":
    """Return the sources of all mounts of our containers, also of those that do not run."""
    found = engine.listed(engine.OURS, stopped=True, deadline_s=20)
    return {str(mount["Source"]) for one in found for mount in one.get("Mounts") or () if "Source" in mount}


def named_by(file: Path) -> "set[str]":
    """Return what a compose file mounts from the host, however it is written; StepError when it is none."""
    words = ["docker", "compose", "-f", str(file), "--profile", "*", "config", "--format", "json"]
    try:
        body = json.loads(must(words, deadline_s=30).out)
        volumes = [one for service in body["services"].values() for one in service.get("volumes") or ()]
        files = [one for kind in ("secrets", "configs") for one in (body.get(kind) or {}).values()]
        binds = {str(one["source"]) for one in volumes if one["type"] == "bind"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StepError(f"{file}: compose did not say what it mounts") from error
    return binds | {str(one["file"]) for one in files if one.get("file")}


def of_generation(layout: Layout, generation: str) -> "set[str]":
    """Return what the containers of a generation have mounted; one of format 1 does not say it itself."""
    found = manifest.of_generation(layout, generation)
    if found.format == manifest.WITHOUT_INSTANCES:
        return named_by(layout.generations / generation / "docker-compose.yml")
    return {source for one in found.instances.values() for source in one.mounts}


def holds(path: Path, sources: "Iterable[str]") -> bool:
    """Whether a path is mounted: itself, something in it, or a folder above it."""
    own = f"{path}/"
    return any(f"{source}/".startswith(own) or own.startswith(f"{source.rstrip('/')}/") for source in sources)
