"""Budgets: each one broken once, and the change that is named really satisfies it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster, Overrides, Postgres, Role
from tempo_infra.sizing import remedy, size
from tempo_infra.sizing.budget import BUDGETS
from tests.unit.inventory.texts import cluster as loaded
from tests.unit.sizing.clusters import ALL, GIB, cluster, host, solo, trio


def over(one: Cluster, **sections: dict[str, Any]) -> Cluster:
    return replace(one, overrides=Overrides(**sections))


def with_pollers(one: Cluster, pollers: int) -> Cluster:
    return replace(one, temporal=replace(one.temporal, pollers=pollers))


BROKEN: dict[str, tuple[Cluster, str]] = {
    "connections": (over(trio(), postgresql={"max_connections": 100}), "max_connections: 140"),
    "memory": (cluster(host("h", *ALL, memory_gib=1)), "h with 2GiB of memory"),
    "database-memory": (
        over(solo(8), postgresql={"work_mem": "512MB"}),
        "work_mem: 78MB",
    ),
    "file-descriptors": (
        replace(over(trio(16), pools={"history": 500}), nofile=1024),
        "limits.nofile: 1280",
    ),
    "wal-disk": (over(solo(8), postgresql={"max_wal_size": "60GB"}), "max_wal_size: 37888MB"),
    "wal-sizes": (over(solo(8), postgresql={"min_wal_size": "9GB"}), "min_wal_size: 8192MB"),
    "shards": (
        over(solo(8), temporal={"history.hostLevelCacheMaxSizeBytes": 4 * GIB}),
        "history.hostLevelCacheMaxSizeBytes: 1",
    ),
    "pollers": (with_pollers(trio(), 2000), "temporal.pollers: 960"),
    "ports": (
        over(solo(8), sysctl={"net.ipv4.ip_local_port_range": "1024 60999"}),
        "take overrides.sysctl.net.ipv4.ip_local_port_range away",
    ),
    "drain": (
        over(trio(), temporal={"history.shutdownDrainDuration": "90s"}),
        "history.shutdownDrainDuration: 50s",
    ),
    "versions": (
        replace(trio(), postgres=Postgres("17"), temporal=replace(trio().temporal, version="2.0.0")),
        "",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_budget_is_refused_with_its_numbers_and_a_change(name: str) -> None:
    one, change = BROKEN[name]
    with pytest.raises(InputError) as caught:
        size(one)
    said = str(caught.value)
    assert f'budget "{name}" is over by ' in said
    if change:
        assert f"nearest change: {change}" in said or f"   or   {change}" in said


def test_every_budget_is_broken_by_a_test() -> None:
    assert {budget.id for budget in BUDGETS} == set(BROKEN) - {"wal-sizes"} | {"persistence-qps"}


@pytest.mark.parametrize("name", BROKEN)
def test_the_named_change_works_and_a_smaller_one_does_not(name: str) -> None:
    one, _ = BROKEN[name]
    _, found = remedy.judged(one)
    breach = next(breach for breach in found if breach.budget == name)
    changes = remedy.nearest(one, breach)
    assert bool(changes) is (name != "versions")
    for change in changes:
        assert breach.key not in {other.key for other in remedy.judged(change.cluster)[1]}


def test_a_flood_is_a_warning() -> None:
    sized = size(over(trio(), temporal={"history.persistenceMaxQPS": 90000}))
    assert len(sized.warnings) == 1
    assert sized.warnings[0].startswith('budget "persistence-qps" is over by ')
    assert size(trio()).warnings == ()


def test_the_arithmetic_names_lines_of_the_inventory() -> None:
    one = loaded(("hosts:", "overrides: {postgresql: {max_connections: 100}}\nhosts:"))
    with pytest.raises(InputError) as caught:
        size(one)
    assert str(caught.value).splitlines() == [
        'budget "connections" is over by 33 on one',
        "  one: history 20+10, matching 20+10, worker 20+10, frontend 20+10  120",
        "  tools 10, reserved 3                                              13",
        "  wanted                                                            133",
        "  max_connections (override, folder/test.yaml:10:43)                100",
        "  nearest change: max_connections: 140",
        "  nothing was contacted",
    ]


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
def clusters(draw: st.DrawFn) -> Cluster:
    more = [host(f"f{n}", Role.FRONTEND, internal=f"10.0.1.{n + 1}") for n in range(draw(st.integers(0, 5)))]
    main = host(
        "h",
        *ALL,
        memory_gib=draw(st.floats(1, 128)),
        vcpu=draw(st.integers(1, 64)),
        disk_gib=draw(st.integers(1, 2000)),
    )
    shards, nofile = draw(st.sampled_from([4, 512, 4096])), draw(st.sampled_from([1024, 4096, 65535]))
    one = over(cluster(main, *more, shards=shards, nofile=nofile), **draw(OVERRIDES))
    pollers = draw(st.one_of(st.none(), st.integers(1, 10000)))
    return one if pollers is None else with_pollers(one, pollers)


@settings(max_examples=30)
@given(one=clusters())
def test_budgets_hold_or_the_error_names_a_change_that_works(one: Cluster) -> None:
    errors = [breach for breach in remedy.judged(one)[1] if not breach.warning]
    if not errors:
        assert size(one).shards == one.temporal.shards
        return
    changes = remedy.nearest(one, errors[0])
    for change in changes:
        assert errors[0].key not in {other.key for other in remedy.judged(change.cluster)[1]}
    assert changes or len(errors) > 1 or "memory" in errors[0].budget or errors[0].budget == "connections"


@settings(max_examples=30)
@given(gib=st.floats(1, 64), extra=st.integers(0, 8), shards=st.sampled_from([64, 512, 4096]))
def test_without_overrides_there_is_always_a_change_that_works(gib: float, extra: int, shards: int) -> None:
    more = [host(f"f{n}", Role.FRONTEND, internal=f"10.0.1.{n + 1}") for n in range(extra)]
    one = cluster(host("h", *ALL, memory_gib=gib), *more, shards=shards)
    for breach in remedy.judged(one)[1]:
        assert not breach.warning
        changes = remedy.nearest(one, breach)
        assert changes
        assert not remedy.judged(changes[0].cluster)[1]
        assert "memory" in changes[0].text


@given(gib=st.integers(4, 300), vcpu=st.integers(1, 64), role=st.sampled_from([Role.FRONTEND, Role.HISTORY]))
@settings(max_examples=40)
def test_more_never_makes_less(gib: int, vcpu: int, role: Role) -> None:
    """More memory never lowers shared_buffers or a pool; another host never lowers max_connections."""

    def of(one: Cluster) -> tuple[float, int, int]:
        sized = size(one)
        buffers = next(
            int(str(s.value)) for h in sized.hosts for s in h.postgresql if s.name == "shared_buffers"
        )
        pools = min(service.connections for h in sized.hosts for service in h.temporal.values())
        return buffers, pools, int(str(sized.max_connections.value))

    small = cluster(host("h", *ALL, memory_gib=gib, vcpu=vcpu))
    large = cluster(host("h", *ALL, memory_gib=gib + 1, vcpu=vcpu))
    two = cluster(*large.hosts, host("x", role, internal="10.0.0.9"))
    assert all(b >= a for a, b in zip(of(small), of(large), strict=True))
    assert of(two)[2] >= of(large)[2]


def test_a_change_for_one_budget_does_not_worsen_another() -> None:
    """Fewer connections would save memory, and break the sum of the pools further."""
    one = over(trio(32), postgresql={"max_connections": 100, "work_mem": "4GB"})
    errors = {breach.budget: breach for breach in remedy.judged(one)[1]}
    assert set(errors) == {"connections", "database-memory"}
    said = [change.text for change in remedy.nearest(one, errors["database-memory"])]
    assert any(text.startswith("work_mem: ") for text in said)
    assert not any(text.startswith("max_connections") for text in said)
    assert [change.text for change in remedy.nearest(one, errors["connections"])] == ["max_connections: 140"]
