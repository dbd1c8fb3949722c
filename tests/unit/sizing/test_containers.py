"""A host's containers fit into it, whatever it is and runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing import size
from tempo_infra.sizing.containers import OS_RESERVE_FLOOR, memory_shares, os_reserve_bytes
from tempo_infra.sizing.settings import GIB, MIB
from tests.unit.sizing.clusters import ALL, cluster, host, solo, trio


@pytest.mark.parametrize("memory_gib", [2, 4, 8, 32, 256])
def test_everything_on_one_host_fits_into_it(memory_gib: int) -> None:
    sized = size(solo(memory_gib)).host("solo-1")
    total = sum(container.memory_bytes for container in sized.containers)
    assert total + sized.os_reserve_bytes <= memory_gib * GIB
    assert {container.name for container in sized.containers} == {*ALL, "schema", "admin-tools"}


@pytest.mark.parametrize("memory_gib", [2, 4, 8, 32])
def test_little_of_the_host_is_given_to_nobody(memory_gib: int) -> None:
    sized = size(solo(memory_gib)).host("solo-1")
    total = sum(container.memory_bytes for container in sized.containers)
    assert total + sized.os_reserve_bytes > memory_gib * GIB * 0.93


def test_a_measured_two_gigabyte_host_still_fits() -> None:
    """The kernel keeps some: MemTotal of a 2 GiB machine is about 1.95 GiB."""
    sized = size(solo(1.95)).host("solo-1")
    assert sized.container("postgresql").memory_bytes >= 384 * MIB


def test_a_host_that_is_too_small_says_what_it_would_need() -> None:
    with pytest.raises(
        InputError,
        match=r'(?s)"memory" is over by 913 MiB on solo-1\n.*history 448.* 1024 MiB\n.*solo-1 with 2GiB',
    ):
        size(solo(1))


def test_more_shards_need_more_history() -> None:
    with pytest.raises(InputError, match=r"history 1344"):
        size(solo(2, shards=4096))


def test_a_class_leans() -> None:
    roles = (Role.POSTGRESQL, Role.HISTORY, Role.FRONTEND, Role.MATCHING, Role.WORKER)

    def shares(leans: str) -> dict[str, int]:
        one = cluster(host("h", *roles, memory_gib=16, leans=leans))
        return memory_shares(one, one.hosts[0])

    assert shares("memory")["postgresql"] > shares("io")["postgresql"]
    assert shares("io")["history"] > shares("memory")["history"]
    assert shares("cpu")["frontend"] > shares("io")["frontend"]


def test_history_hosts_can_take_over_from_each_other() -> None:
    """Two hosts, 4096 shards: when one is down the other holds them all."""
    two = cluster(
        host("a", *ALL, memory_gib=8, internal="10.0.0.1"),
        host("b", Role.HISTORY, memory_gib=1.2, internal="10.0.0.2"),
        shards=4096,
    )
    with pytest.raises(InputError, match="on b"):
        size(two)


def test_jobs_stand_where_they_are_run() -> None:
    sized = size(trio())
    assert [c.name for c in sized.host("db-1").containers] == ["postgresql", "schema"]
    assert [c.name for c in sized.host("front-1").containers if c.job] == ["admin-tools"]
    assert [c.name for c in sized.host("history-1").containers] == ["history"]


def test_every_frontend_has_its_admin_tools() -> None:
    two = cluster(*trio().hosts, host("front-2", Role.FRONTEND, internal="10.0.0.14"))
    assert [c.name for c in size(two).host("front-2").containers] == ["frontend", "admin-tools"]


def test_go_services_know_their_limit_and_postgresql_its_shared_memory() -> None:
    sized = size(trio())
    history = sized.host("history-1").container("history")
    postgresql = sized.host("db-1").container("postgresql")
    assert history.gomemlimit_bytes is not None
    assert 0.84 * history.memory_bytes < history.gomemlimit_bytes <= 0.85 * history.memory_bytes
    assert postgresql.gomemlimit_bytes is None
    assert postgresql.shm_bytes is not None
    assert 64 * MIB <= postgresql.shm_bytes < postgresql.memory_bytes


def test_limits_follow_the_inventory() -> None:
    few = cluster(host("solo-1", *ALL, memory_gib=8), nofile=16384)
    assert {container.nofile for container in size(few).host("solo-1").containers} == {16384}


def test_stopping_takes_longer_than_draining() -> None:
    sized = size(trio())
    for machine in sized.hosts:
        for role, settings in machine.temporal.items():
            drain = sum(int(s.value) for s in settings.dynamic if s.name.endswith("shutdownDrainDuration"))
            assert machine.container(role).stop_grace_s >= drain + 10


@given(memory=st.integers(0, 2**44))
def test_the_reserve_never_shrinks_and_is_bounded(memory: int) -> None:
    assert OS_RESERVE_FLOOR <= os_reserve_bytes(memory) <= 4 * GIB
    assert os_reserve_bytes(memory) <= os_reserve_bytes(memory + GIB)


@given(
    memory_gib=st.floats(0.5, 512),
    roles=st.sets(st.sampled_from(ALL), min_size=1),
    leans=st.sampled_from(["cpu", "io", "memory"]),
    shards=st.sampled_from([4, 64, 512, 4096]),
)
def test_what_is_sized_fits_or_is_refused(
    memory_gib: float, roles: set[Role], leans: str, shards: int
) -> None:
    one = cluster(
        host("h", *roles, memory_gib=memory_gib, leans=leans),
        host("rest", *ALL, memory_gib=64, internal="10.0.0.2"),
        shards=shards,
    )
    try:
        shares = memory_shares(one, one.hosts[0])
    except InputError:
        return
    memory = one.hosts[0].resources.memory_bytes
    assert sum(shares.values()) + os_reserve_bytes(memory) <= memory
    assert all(share >= 64 * MIB for share in shares.values())


@given(memory_gib=st.integers(2, 256), leans=st.sampled_from(["cpu", "io", "memory"]))
def test_more_memory_never_takes_memory_from_anyone(memory_gib: int, leans: str) -> None:
    def shares(gib: int) -> dict[str, int]:
        one = cluster(host("h", *ALL, memory_gib=gib, leans=leans))
        return memory_shares(one, one.hosts[0])

    smaller, larger = shares(memory_gib), shares(memory_gib + 1)
    assert all(larger[name] >= smaller[name] for name in smaller)
