"""Which versions go together: the server, its schema, its SQL plugin, PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.sizing.breach import Breach
from tempo_infra.sizing.budgets.rule import rule
from tempo_infra.sizing.temporal import PLUGIN
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing.settings import Settings


@dataclass(frozen=True, slots=True)
class Window:
    """One line of Temporal's releases, and what it works with."""

    temporal: tuple[int, int]
    schema: str  # of PostgreSQL v12, main and visibility, as the server's release brings them
    plugin: str
    postgresql: range  # 12 is the oldest of the v12 schema; to the newest with a table of parameters

    def __str__(self) -> str:
        name = ".".join(map(str, self.temporal))
        majors = f"{self.postgresql[0]} to {self.postgresql[-1]}"
        return f"Temporal {name}, schema {self.schema}, {self.plugin}, PostgreSQL {majors}"


WINDOWS: tuple[Window, ...] = (  # a release of Temporal is one line; read from its schema/ and common/config
    Window((1, 31), "v12 1.19 + 1.14", PLUGIN, range(15, 19)),
    Window((1, 32), "v12 1.19 + 1.14", PLUGIN, range(15, 19)),
)


@rule(
    "versions",
    says="; ".join(map(str, WINDOWS)) + ". A newer line of Temporal 1 is a warning",
    why="the server does not start, or drops what it does not know: up to 1.30 it reads no passwordCommand",
)
def versions(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    del settings
    major, minor = map(int, cluster.temporal.version.split(".")[:2])
    window = next((one for one in WINDOWS if one.temporal == (major, minor)), None)
    newest = WINDOWS[-1]
    newer = major == newest.temporal[0] and (major, minor) > newest.temporal
    if int(cluster.postgres.version) in (window or newest).postgresql and window:
        return
    lines = (
        (f"Temporal ({cluster.place('temporal', 'version')})", cluster.temporal.version),
        (f"PostgreSQL ({cluster.place('postgres', 'version')})", cluster.postgres.version),
        *(("known to go together", str(one)) for one in WINDOWS),
    )
    warning = newer and int(cluster.postgres.version) in newest.postgresql
    yield Breach("versions", store(cluster).writer.name, "a version", lines, ("versions",), warning=warning)
