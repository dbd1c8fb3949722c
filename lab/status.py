"""What runs and what does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import engine, hosts, registry
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.paths import Home


@dataclass(frozen=True)
class Row:
    """One thing of the lab and how it is."""

    name: str
    well: bool
    detail: str


def look(home: Home) -> list[Row]:
    """How the engine, the registry and every host are."""
    if not engine.answers():
        return [Row("Docker engine", well=False, detail="does not answer: python3 -m lab up")]
    rows = [Row("Docker engine", well=True, detail="answers")]
    try:
        lab = hosts.load(home)
    except LabError as absent:
        return [*rows, Row("lab", well=False, detail=str(absent))]
    served = registry.answers(home)
    rows.append(Row("registry", served, lab.registry if served else "does not answer"))
    with ThreadPoolExecutor() as pool:
        rows += pool.map(_host, lab.hosts)
    return rows


def table(rows: list[Row]) -> str:
    """The rows as aligned text."""
    width = max(len(row.name) for row in rows)
    return "\n".join(f"{row.name:{width}}  {'ok ' if row.well else 'BAD'}  {row.detail}" for row in rows)


def _host(host: hosts.Host) -> Row:
    place = f"ssh {host.ssh_address}:{host.ssh_port}, internal {host.internal_address}"
    well = host.ready()
    return Row(host.name, well, place if well else f"{place}: no login, or no Docker engine")
