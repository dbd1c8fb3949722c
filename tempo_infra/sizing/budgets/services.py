"""Budgets of Temporal's services: history's memory, the frontends' long polls, the time to drain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import temporal
from tempo_infra.sizing.breach import Breach
from tempo_infra.sizing.budgets.rule import dynamic, mib, pairs, rule
from tempo_infra.sizing.containers import SHARD_BYTES
from tempo_infra.topology import endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing.settings import Settings

DRAIN_SPARE_S = 10  # after draining: closing pools, the last writes
CACHES = ("history.hostLevelCacheMaxSizeBytes", "history.eventsHostLevelCacheMaxSizeBytes")


@rule(
    "shards",
    says="64 MiB + shards of a host while another is down x 256 KiB + its caches <= history's container",
    why="history is killed for memory when it takes over shards",
)
def shards(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    count, place = temporal.shards_on_one(cluster), cluster.place("temporal", "shards")
    for host, sized in pairs(cluster, settings):
        if Role.HISTORY not in sized.temporal:
            continue
        caches = sum(int(dynamic(sized.temporal[Role.HISTORY].dynamic, name, 0)) for name in CACHES)
        wanted = temporal.HISTORY_BASE_BYTES + count * SHARD_BYTES + caches
        limit = sized.container(Role.HISTORY).memory_bytes
        if wanted > limit:
            lines = (
                ("the process", mib(temporal.HISTORY_BASE_BYTES)),
                (f"{count} shards x {SHARD_BYTES // 1024} KiB ({place})", mib(count * SHARD_BYTES)),
                ("caches of workflows and of events", mib(caches)),
                ("history's container", mib(limit)),
            )
            levers = ("memory.history", *(f"temporal.{name}" for name in CACHES), "shards", "host-memory")
            yield Breach("shards", host.name, mib(wanted - limit), lines, levers)


@rule(
    "pollers",
    says="temporal.pollers <= 80 % of frontend.namespaceCount x frontends, where the inventory says pollers",
    why="polls are refused and tasks wait",
)
def pollers(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    wanted = cluster.temporal.pollers
    if wanted is None:
        return
    allowed, lines = 0, []
    for host in settings.hosts:
        if Role.FRONTEND in host.temporal:
            own = host.temporal[Role.FRONTEND].dynamic
            count = int(dynamic(own, "frontend.namespaceCount", temporal.NAMESPACE_COUNT))
            carried = int(temporal.POLLER_SHARE * count)
            share = f"{host.host}: {temporal.POLLER_SHARE:.0%} of frontend.namespaceCount {count}"
            lines.append((share, str(carried)))
            allowed += carried
    if wanted > allowed:
        lines.append((f"wanted ({cluster.place('temporal', 'pollers')})", str(wanted)))
        levers = ("temporal.frontend.namespaceCount", "pollers")
        name, *_ = (at.host for at in endpoints(cluster, Role.FRONTEND))  # all of them carry it
        yield Breach("pollers", name, str(wanted - allowed), tuple(lines), levers)


@rule(
    "drain",
    says="shutdownDrainDuration + 10 s <= stop_grace_period",
    why="a service is killed while it hands over its work",
)
def drain(cluster: Cluster, settings: Settings) -> Iterator[Breach]:
    for host, sized in pairs(cluster, settings):
        for role, one in sized.temporal.items():
            name = f"{role}.shutdownDrainDuration"
            own = next((setting for setting in one.dynamic if setting.name == name), None)
            wanted = dynamic(one.dynamic, name, 0) + DRAIN_SPARE_S
            grace = sized.container(role).stop_grace_s
            if own and wanted > grace:
                place = f" ({own.written})" if own.written else ""
                drained = f"{name} {own.text}{place} + {DRAIN_SPARE_S} s to end"
                lines = (
                    (drained, f"{wanted:.0f} s"),
                    ("stop_grace_period, after which it is killed", f"{grace} s"),
                )
                over = f"{wanted - grace:.0f} s"
                yield Breach("drain", host.name, over, lines, (f"temporal.{name}",))
