"""PostgreSQL's numbers: they follow its share of the host and fit into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Disk, Resources, Role
from tempo_infra.sizing import Setting, postgres, size
from tempo_infra.sizing.postgres_lines import Given, postgresql
from tempo_infra.sizing.settings import GIB, MIB
from tempo_infra.sizing.tables import statements
from tempo_infra.topology import store
from tests.unit.sizing.clusters import ALL, cluster, host, solo, trio

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Cluster


def settings_of(one: Cluster) -> dict[str, Setting]:
    sized = size(one).host(store(one).writer.name).postgresql
    return {setting.name: setting for setting in sized}


def test_max_connections_is_the_sum_of_all_pools() -> None:
    """Four services x 30 + 10 + 3 = 133, rounded up."""
    assert settings_of(trio())["max_connections"].value == 140
    assert settings_of(trio())["max_connections"].reason == (
        "4 Temporal services x 30 + tools 10 + reserved 3, rounded up"
    )


def test_every_further_service_gets_its_connections() -> None:
    more = cluster(*trio().hosts, host("h-2", Role.HISTORY, internal="10.0.0.14"))
    assert settings_of(more)["max_connections"].value == 170


@given(gib=st.floats(2, 64), frontends=st.integers(1, 12))
def test_pools_never_ask_for_more_than_the_database_gives(gib: float, frontends: int) -> None:
    hosts = [host(f"f{n}", Role.FRONTEND, internal=f"10.0.1.{n + 1}") for n in range(frontends)]
    many = cluster(host("solo-1", *ALL, memory_gib=gib, vcpu=4), *hosts)
    try:
        sized = size(many)
    except InputError as error:
        assert 'budget "database-memory"' in str(error)  # noqa: PT017  # one of two right answers
        return
    pools = sum(service.connections for one in sized.hosts for service in one.temporal.values())
    assert pools + postgres.TOOLS + postgres.RESERVED <= int(sized.max_connections.value)
    limit = sized.host("solo-1").container("postgresql").memory_bytes
    assert postgres.memory_wanted_bytes(limit, 4, int(sized.max_connections.value)) <= limit


def test_a_small_database_gets_smaller_pools_rather_than_too_many_connections() -> None:
    sized = size(solo(2)).host("solo-1")
    assert {(s.max_conns, s.visibility_max_conns) for s in sized.temporal.values()} == {(10, 5)}
    assert settings_of(solo(2))["max_connections"].value == 80


def test_too_many_services_for_the_database_are_refused() -> None:
    frontends = [host(f"f{n}", Role.FRONTEND, internal=f"10.0.1.{n + 1}") for n in range(30)]
    with pytest.raises(
        InputError, match=r'"database-memory" is over by \d+ MiB on solo-1\n  34 Temporal services'
    ):
        size(cluster(host("solo-1", *ALL, memory_gib=2), *frontends))


@pytest.mark.parametrize(
    ("gib", "shared_buffers", "huge_pages"),
    [(4, "928MB", "off"), (8, "1904MB", "off"), (32, "7664MB", "off"), (64, "15344MB", "try")],
)
def test_shared_buffers_are_a_quarter_of_the_container(
    gib: int, shared_buffers: str, huge_pages: str
) -> None:
    found = settings_of(trio(database_gib=gib))
    assert found["shared_buffers"].text == shared_buffers
    assert found["huge_pages"].text == huge_pages


@given(gib=st.integers(4, 512))
def test_more_memory_never_lowers_a_size(gib: int) -> None:
    smaller, larger = settings_of(trio(database_gib=gib)), settings_of(trio(database_gib=gib + 1))
    for name in ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem"):
        assert larger[name].value >= smaller[name].value  # type: ignore[operator]  # sizes are numbers
    assert larger["shared_buffers"].value <= 16 * GIB // MIB  # type: ignore[operator]  # as above


@given(disk_gib=st.integers(8, 4096))
def test_the_log_never_fills_the_disk(disk_gib: int) -> None:
    resources = Resources(2, 4 * GIB, Disk("nvme", disk_gib * GIB))
    connections = Setting("max_connections", 100, "", "", "")
    found = {s.name: s.value for s in postgresql(Given(3 * GIB, resources), connections, "17")}
    largest, smallest = int(found["max_wal_size"]), int(found["min_wal_size"])
    assert 2 * smallest < largest <= 16 * 1024
    assert (2 * largest + smallest) * MIB <= disk_gib * GIB // 2


@pytest.mark.parametrize(("kind", "cost"), [("nvme", 1.1), ("ssd", 1.1), ("unknown", 1.1), ("hdd", 4.0)])
def test_a_spinning_disk_is_told_apart(kind: str, cost: float) -> None:
    one = cluster(host("h", *ALL, memory_gib=8, kind=kind))
    assert settings_of(one)["random_page_cost"].value == cost


def test_what_keeps_writes_durable_is_never_off() -> None:
    for one in (solo(2), solo(32), trio()):
        found = settings_of(one)
        assert [found[name].text for name in ("fsync", "full_page_writes", "synchronous_commit")] == [
            "on"
        ] * 3
        assert found["password_encryption"].text == "scram-sha-256"


@pytest.mark.parametrize(("version", "present"), [("17", False), ("18", True)])
def test_a_version_is_told_only_what_it_knows(version: str, *, present: bool) -> None:
    resources = Resources(2, 4 * GIB, Disk("nvme", 80 * GIB))
    connections = Setting("max_connections", 100, "", "", "")
    names = {s.name for s in postgresql(Given(3 * GIB, resources), connections, version)}
    assert ("io_method" in names) is present


def test_every_setting_has_a_reason_of_one_line_and_a_source() -> None:
    sized = size(solo())
    one = sized.host("solo-1")
    dynamic = [setting for service in one.temporal.values() for setting in service.dynamic]
    settings = [*one.postgresql, *one.sysctl, *dynamic, one.nofile, sized.plan_guard]
    assert len(settings) > 50
    for setting in settings:
        assert setting.reason, setting.name
        assert "\n" not in setting.reason, setting.name
        assert setting.source, setting.name


def test_the_guard_of_generic_plans_is_explained_as_it_is_applied() -> None:
    guard = size(trio()).plan_guard
    table, column, parameter = guard.name.split(".")
    sql = statements(trio())["temporal"]
    assert f"'ALTER TABLE public.{table} ALTER COLUMN {column} SET ({parameter} = {guard.text})'" in sql
