"""Budgets: each one broken once, and the change that is named really satisfies it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster, Overrides, Postgres
from tempo_infra.sizing import levers, nearest, size
from tempo_infra.sizing.breach import Breach
from tempo_infra.sizing.budgets import BUDGETS
from tempo_infra.sizing.budgets.versions import WINDOWS, versions
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
        "work_mem: 67MB",
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
        replace(trio(), postgres=Postgres("17"), temporal=replace(trio().temporal, version="1.30.6")),
        "temporal.version: 1.31.2 and postgres.version: 17",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_budget_is_refused_with_its_numbers_and_a_change(name: str) -> None:
    one, change = BROKEN[name]
    with pytest.raises(InputError) as caught:
        size(one)
    said = str(caught.value)
    assert f'budget "{name}" is over by ' in said
    assert f"nearest change: {change}" in said or f"   or   {change}" in said


def test_what_is_kept_of_the_log_counts_on_the_disk() -> None:
    with pytest.raises(InputError) as caught:
        size(over(solo(8), postgresql={"wal_keep_size": "1TB"}))
    assert 'budget "wal-disk" is over by ' in str(caught.value)
    assert "wal_keep_size 1048576" in str(caught.value)
    assert "nearest change: wal_keep_size: " in str(caught.value)


def test_every_budget_is_broken_by_a_test() -> None:
    assert {budget.id for budget in BUDGETS} == set(BROKEN) | {"persistence-qps"}


@pytest.mark.thorough
@pytest.mark.parametrize("name", BROKEN)
def test_the_named_change_works_and_a_smaller_one_does_not(name: str) -> None:
    one, _ = BROKEN[name]
    _, found = nearest.judged(one)
    breach = next(breach for breach in found if breach.budget == name)
    changes = nearest.nearest(one, breach)
    assert changes
    for change in changes:
        assert breach.key not in {other.key for other in nearest.judged(change.cluster)[1]}
        before = one_step_less(one, breach, change.text)
        assert before is None or nearest.judged(before)[1]


def one_step_less(one: Cluster, breach: Breach, text: str) -> Cluster | None:
    """The cluster that the same lever makes with one step less; None where it is the first step."""
    for lever in breach.levers:
        for ladder in levers.ladders(one, one.host(breach.host), lever):
            for step in range(1, ladder.steps + 1):
                if ladder.at(step).text == text:
                    return ladder.at(step - 1).cluster if step > 1 else None
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("temporal", "postgresql", "words"),
    [
        ("1.31.0", "17", ""),
        ("1.32.2", "15", ""),
        ("1.33.0", "17", "warning"),
        ("1.33.0", "14", "error"),
        ("1.31.2", "14", "error"),
        ("1.31.2", "19", "error"),
        ("1.30.6", "17", "error"),
        ("2.0.0", "17", "error"),
    ],
)
def test_versions_go_together_or_it_is_said(temporal: str, postgresql: str, words: str) -> None:
    one = replace(trio(), postgres=Postgres(postgresql), temporal=replace(trio().temporal, version=temporal))
    found = list(versions.check(one, size(trio())))
    assert [("warning" if breach.warning else "error") for breach in found] == [words] * bool(words)
    assert all(
        ("known to go together", str(window)) in breach.lines for breach in found for window in WINDOWS
    )


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


def test_a_change_for_one_budget_does_not_worsen_another() -> None:
    """Fewer connections would save memory, and break the sum of the pools further."""
    one = over(trio(32), postgresql={"max_connections": 100, "work_mem": "4GB"})
    errors = {breach.budget: breach for breach in nearest.judged(one)[1]}
    assert set(errors) == {"connections", "database-memory"}
    said = [change.text for change in nearest.nearest(one, errors["database-memory"])]
    assert any(text.startswith("work_mem: ") for text in said)
    assert not any(text.startswith("max_connections") for text in said)
    assert [change.text for change in nearest.nearest(one, errors["connections"])] == ["max_connections: 140"]


def test_a_change_within_a_narrow_window_is_found() -> None:
    """Doubled steps jump from far too much to less than the server takes (32MB)."""
    one = over(solo(8), postgresql={"min_wal_size": "999999MB", "max_wal_size": "64MB"})
    breach = next(breach for breach in nearest.judged(one)[1] if breach.budget == "wal-sizes")
    assert "min_wal_size: 64MB" in [change.text for change in nearest.nearest(one, breach)]


def test_two_values_that_have_to_move_together_are_named_with_what_follows() -> None:
    """More connections are the only way, and then sorting takes too much."""
    one = over(trio(32), postgresql={"max_connections": 132, "work_mem": "1000MB"})
    assert [b.budget for b in nearest.judged(one)[1]] == ["connections"]
    said = nearest.nearest(one, nearest.judged(one)[1][0])
    assert [change.text for change in said] == ["max_connections: 140 (then database-memory is over)"]
