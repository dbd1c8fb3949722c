"""From what a host is and what it runs to every number. Pure arithmetic."""

from __future__ import annotations

from tempo_infra.sizing.remedy import size
from tempo_infra.sizing.settings import (
    Container,
    HostSettings,
    Setting,
    Settings,
    TemporalSettings,
)

__all__ = ["Container", "HostSettings", "Setting", "Settings", "TemporalSettings", "size"]
