"""What the operator asked for: a YAML file to a validated, frozen Cluster."""

from __future__ import annotations

from tempo_infra.inventory.load import load

__all__ = ["load"]
