"""From what a host is and what it runs to every number. Pure arithmetic."""

from __future__ import annotations

from tempo_infra.sizing.cluster import size
from tempo_infra.sizing.settings import (
    Container,
    HostSettings,
    Setting,
    Settings,
    TemporalSettings,
)
from tempo_infra.sizing.tables import TableSettings, table_settings

__all__ = [
    "Container",
    "HostSettings",
    "Setting",
    "Settings",
    "TableSettings",
    "TemporalSettings",
    "size",
    "table_settings",
]
