"""The network of our containers: compose may keep one as it was made, whatever its file says (2.26 does)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tempo_infra.on_host import manifest, subnets
from tempo_infra.on_host.shell import StepError, must

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.on_host.layout import Layout


def moves(layout: Layout) -> bool:
    """Whether the network that is here has other addresses than the current generation wants; StepError."""
    ours = subnets.look([], deadline_s=20).ours
    return bool(ours) and differs(ours, _wanted(layout))


def differs(ours: "Mapping[str, Sequence[str]]", wanted: "Mapping[str, Sequence[str]]") -> bool:
    """Compare subnets by a network's name; one that pins none, or is not here, is as it should be."""
    return any(pinned and sorted(pinned) != ours.get(name, sorted(pinned)) for name, pinned in wanted.items())


def _wanted(layout: Layout) -> "Mapping[str, Sequence[str]]":
    found = manifest.current(layout)
    return _asked(layout) if found.format == manifest.WITHOUT_INSTANCES else found.networks


def _asked(layout: Layout) -> "dict[str, list[str]]":
    words = ["docker", "compose", "-f", str(layout.compose_file), "config", "--format", "json"]
    try:
        body = json.loads(must(words, deadline_s=30).out)
        ipam = {name: one.get("ipam") or {} for name, one in (body.get("networks") or {}).items()}
        return {
            name: [str(part["subnet"]) for part in one.get("config") or () if "subnet" in part]
            for name, one in ipam.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StepError(f"{layout.compose_file}: compose did not say which network it makes") from error
