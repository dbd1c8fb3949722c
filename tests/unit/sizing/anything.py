"""Any cluster that an inventory may describe: classes, resources, versions, roles side by side, overrides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tempo_infra.inventory.cluster import Cluster, Host, Overrides, Postgres, Role
from tests.unit.sizing.clusters import CLASSES, GIB, cluster, host

LEANS = sorted(CLASSES)
ONCE = (Role.POSTGRESQL, Role.UI)
MANY = (Role.HISTORY, Role.MATCHING, Role.WORKER, Role.FRONTEND)
OVERRIDES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "postgresql": st.fixed_dictionaries(
            {},
            optional={
                "max_connections": st.integers(10, 2000),
                "shared_buffers": st.integers(16, 65536).map(lambda mib: f"{mib}MB"),
                "work_mem": st.integers(1, 1024).map(lambda mib: f"{mib}MB"),
                "max_wal_size": st.integers(64, 10**6).map(lambda mib: f"{mib}MB"),
                "min_wal_size": st.integers(64, 10**6).map(lambda mib: f"{mib}MB"),
                "huge_pages": st.sampled_from(["on", "off", "try"]),
            },
        ),
        "temporal": st.fixed_dictionaries(
            {},
            optional={
                "history.shutdownDrainDuration": st.integers(0, 300).map(lambda s: f"{s}s"),
                "history.hostLevelCacheMaxSizeBytes": st.integers(1, 64 * GIB),
                "frontend.namespaceCount": st.integers(1, 5000),
            },
        ),
        "pools": st.dictionaries(st.sampled_from(["history", "frontend"]), st.integers(1, 500), max_size=2),
        "memory": st.dictionaries(
            st.sampled_from(["history", "postgresql"]),
            st.integers(64, 65536).map(lambda m: m << 20),
            max_size=1,
        ),
        "sysctl": st.fixed_dictionaries({}, optional={"vm.nr_hugepages": st.integers(0, 50000)}),
    },
)


@st.composite
def machines(draw: st.DrawFn, number: int, *roles: Role) -> Host:
    return host(
        f"h{number}",
        *roles,
        memory_gib=draw(st.floats(1, 256)),
        vcpu=draw(st.integers(1, 64)),
        leans=draw(st.sampled_from(LEANS)),
        internal=f"10.0.0.{number + 1}",
        disk_gib=draw(st.integers(1, 4000)),
        kind=draw(st.sampled_from(["nvme", "ssd", "hdd", "unknown"])),
    )


@st.composite
def layouts(draw: st.DrawFn) -> Cluster:
    """Every role somewhere: the database once, the others on one host or several, alone or together."""
    count = draw(st.integers(1, 5))
    places: list[set[Role]] = [set() for _ in range(count)]
    for role in ONCE:
        places[draw(st.integers(0, count - 1))].add(role)
    for role in MANY:
        for number in draw(st.sets(st.integers(0, count - 1), min_size=1)):
            places[number].add(role)
    hosts = [draw(machines(number, *roles)) for number, roles in enumerate(places) if roles]
    one = cluster(
        *hosts,
        shards=draw(st.sampled_from([4, 64, 512, 4096, 16384])),
        nofile=draw(st.sampled_from([1024, 4096, 65535])),
    )
    pollers = draw(st.one_of(st.none(), st.integers(1, 10000)))
    version = draw(st.sampled_from(["15", "16", "17", "18"]))
    return replace(one, postgres=Postgres(version), temporal=replace(one.temporal, pollers=pollers))


@st.composite
def overridden(draw: st.DrawFn) -> Cluster:
    """A layout with values of the operator's own, for all hosts."""
    return replace(draw(layouts()), overrides=Overrides(**draw(OVERRIDES)))


def larger(one: Cluster, memory_gib: int = 0, vcpu: int = 0) -> Cluster:
    """The same cluster on larger hosts."""
    return replace(
        one,
        hosts=tuple(
            replace(
                each,
                resources=replace(
                    each.resources,
                    memory_bytes=each.resources.memory_bytes + memory_gib * GIB,
                    vcpu=each.resources.vcpu + vcpu,
                ),
            )
            for each in one.hosts
        ),
    )
