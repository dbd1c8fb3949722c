"""The errors of hosts, as every JSON output has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.errors import TempoInfraError


def errors_json(errors: Mapping[str, TempoInfraError]) -> dict[str, dict[str, str]]:
    """Return what went wrong and what to do, by host."""
    return {name: {"what": error.what, "remedy": error.remedy} for name, error in errors.items()}
