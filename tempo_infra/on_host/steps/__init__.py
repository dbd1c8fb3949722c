"""What a host can be asked to do: each step is a type, and its fields are all that its handler is told.

Both sides use these types; nothing else names a step's arguments.
"""

from __future__ import annotations

from tempo_infra.on_host.steps import change, reading, upkeep
from tempo_infra.on_host.steps.step import Step

__all__ = ["change", "kinds", "reading", "upkeep"]


def kinds() -> "dict[str, type[Step]]":
    """Return every step's type by its name."""
    return {one.name: one for one in Step.__subclasses__()}
