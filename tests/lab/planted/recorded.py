"""Faults that no lab can make: facts as such hosts report them, judged as with `check-host --facts`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "data/facts/recorded.json"


@dataclass(frozen=True)
class Recorded:
    """What is other than on a healthy host, by the path of each fact."""

    name: str
    host: str
    check: str
    outcome: str
    how: str
    facts: Mapping[str, Any]
    also: Mapping[str, str] = field(default_factory=dict)  # other checks, and why they can't be spared


RECORDED = tuple(Recorded(**row) for row in json.loads(FILE.read_text("utf-8")))


def planted(facts: dict[str, Any], fault: Recorded) -> dict[str, Any]:
    """Return the facts of a host, as JSON, with the fault in them."""
    changed: dict[str, Any] = json.loads(json.dumps(facts))
    for path, value in fault.facts.items():
        *way, last = path.split(".")
        place: Any = changed
        for name in way:
            place = _inside(place, name)
        if isinstance(place[last], dict) and set(place[last]) == {"value", "unread", "not_wanted"}:
            place[last] = {"value": value, "unread": "", "not_wanted": False}
        else:
            place[last] = value
    return changed


def _inside(place: Any, name: str) -> Any:
    """Go one step down; a reading's value is meant, not the reading."""
    found = place[int(name)] if isinstance(place, list) else place[name]
    reading = isinstance(found, dict) and set(found) == {"value", "unread", "not_wanted"}
    return found["value"] if reading else found
