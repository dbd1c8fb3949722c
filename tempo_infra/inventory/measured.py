"""What was read from a host, as changes of the inventory's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.quantities import format_size

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Resources
    from tempo_infra.inventory.problems import Loc


def changes(host: str, resources: Resources) -> list[tuple[Loc, str]]:
    """Return the values to set for that host; `resources.measured` is the date of the reading."""
    at: Loc = ("hosts", host, "resources")
    found: list[tuple[Loc, str]] = [
        ((*at, "vcpu"), str(resources.vcpu)),
        ((*at, "memory"), format_size(resources.memory_bytes)),
        ((*at, "disk", "kind"), resources.disk.kind),
        ((*at, "disk", "size"), format_size(resources.disk.size_bytes)),
    ]
    if resources.measured:
        found.append(((*at, "measured"), resources.measured))
    return found


def summary(resources: Resources) -> str:
    """`4 vcpu, 8GiB, nvme 80GiB`."""
    disk = f"{resources.disk.kind} {format_size(resources.disk.size_bytes)}"
    return f"{resources.vcpu} vcpu, {format_size(resources.memory_bytes)}, {disk}"
