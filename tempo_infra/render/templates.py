"""Where templates lie: ours, and the operator's beside the inventory."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import tempo_infra

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster


@cache
def built_in() -> Path:
    """Return the folder of our templates: package data in a wheel, beside the package in a checkout."""
    package = Path(tempo_infra.__file__).parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def own_templates(cluster: Cluster) -> Path | None:
    """Return the folder beside the inventory, where there is one."""
    own = cluster.path.parent / "templates"
    return own if own.is_dir() and own.resolve() != built_in().resolve() else None
