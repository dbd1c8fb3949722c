"""The table of components: one line for each module or folder beside this that has some.

The order is that in which services start; jobs come last. What stands in a row is said in `component`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempo_infra.components.component import Component

LISTED = (
    "postgresql",
    "temporal",
    "ui",
    "admin_tools",
)
COMPONENTS: tuple[Component, ...] = tuple(
    one for name in LISTED for one in import_module(f"{__package__}.{name}").COMPONENTS
)
