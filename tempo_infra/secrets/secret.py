"""A secret that can't be printed by accident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TEMPORAL_DB: Final = "temporal_db"  # password of the database role `temporal`


@dataclass(frozen=True, slots=True)
class Secret:
    """A named secret. repr, str and format show the name; `.value` is for the code that sends it."""

    name: str
    value: str = field(repr=False)


Secrets = Mapping[str, Secret]
