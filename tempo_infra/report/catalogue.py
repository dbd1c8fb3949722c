"""The catalogue of checks as text, as JSON, and one check in detail."""

from __future__ import annotations

import json

from tempo_infra.checks import CHECKS, Check, Phase, find
from tempo_infra.report.wrapping import wrapped

BESIDE = 14  # columns of the words before a line


def as_lines() -> str:
    width = max(len(one.id) for one in CHECKS)
    return "\n".join(f"{one.id:<{width}}  {one.severity:<8}  {one.phase:<6}  {one.title}" for one in CHECKS)


def as_json() -> str:
    fields = ("id", "title", "severity", "phase", "wants", "remedy", "source")
    return json.dumps([{name: str(getattr(one, name)) for name in fields} for one in CHECKS], indent=2)


def details(identifier: str) -> str:
    """Describe the checks of that id or group; InputError when there is none."""
    return "\n\n".join(_details(one) for one in find(identifier))


def _details(one: Check) -> str:
    phase = "before and after" if one.phase is Phase.BOTH else one.phase
    lines = (
        ("severity", f"{one.severity}, {phase} provisioning"),
        ("passes when", one.wants),
        ("what to do", one.general_remedy),
        ("source", one.source),
    )
    told = (wrapped(text, BESIDE, f"  {name:<{BESIDE - 2}}") for name, text in lines)
    return "\n".join((f"{one.id}: {one.title}", *told))
