"""What holds for any cluster: it fits or says what would, more never makes less, values are real ones."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tempo_infra.inventory import dynamic_config, parameters
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.sizing import Settings, nearest, size
from tempo_infra.sizing.breach import Breach
from tempo_infra.sizing.capacity import Load, carried
from tempo_infra.sizing.coefficients import Coefficients
from tempo_infra.sizing.settings import MIB
from tests.unit.sizing.anything import larger, layouts, overridden
from tests.unit.sizing.clusters import cluster, host

pytestmark = pytest.mark.thorough

FLOATS = {"random_page_cost", "checkpoint_completion_target"}
UNITS = {"", "MB", "s", "min"}


def errors_of(one: Cluster) -> list[Breach]:
    return [breach for breach in nearest.judged(one)[1] if not breach.warning]


def smallest_pool(sized: Settings) -> int:
    return min(service.connections for each in sized.hosts for service in each.temporal.values())


def fits(one: Cluster) -> bool:
    return not errors_of(one)


def lines_of(sized: Settings) -> dict[str, float]:
    """The lines of postgresql.conf that are plain numbers."""
    found = next(one.postgresql for one in sized.hosts if one.postgresql)
    return {s.name: s.value for s in found if isinstance(s.value, int | float)}


@given(one=layouts())
def test_what_is_sized_fits_or_a_larger_host_is_named_that_does(one: Cluster) -> None:
    """Without overrides there is always a change that works, and it is enough for that budget."""
    for breach in errors_of(one):
        changes = nearest.nearest(one, breach)
        assert changes, breach.text()
        for change in changes:
            assert breach.key not in {other.key for other in errors_of(change.cluster)}


@given(one=overridden())
def test_whatever_is_overridden_each_error_names_a_change_that_works(one: Cluster) -> None:
    errors = errors_of(one)
    if not errors:
        assert size(one).shards == one.temporal.shards
    for breach in errors:
        changes = nearest.nearest(one, breach)
        assert changes, breach.text()
        for change in changes:
            assert breach.key not in {other.key for other in errors_of(change.cluster)}


@given(one=layouts())
def test_every_value_is_whole_in_a_usual_unit_and_one_that_its_version_takes(one: Cluster) -> None:
    assume(fits(one))
    sized, version = size(one), int(one.postgres.version)
    for sized_host in sized.hosts:
        for line in sized_host.postgresql:
            assert parameters.checked(version, line.name, line.text)
            assert isinstance(line.value, int | str) or line.name in FLOATS, line
            assert line.unit in UNITS, line
        for service in sized_host.temporal.values():
            for setting in service.dynamic:
                assert dynamic_config.checked("1.31.2", setting.name, setting.scalar) is not None
                assert not isinstance(setting.value, float), setting
        assert all(isinstance(setting.value, int) for setting in sized_host.sysctl)
        for container in sized_host.containers:
            assert container.memory_bytes % MIB == 0
            assert (container.gomemlimit_bytes or 0) % MIB == (container.shm_bytes or 0) % MIB == 0


@given(one=layouts(), gib=st.integers(1, 64), vcpu=st.integers(0, 8))
def test_larger_hosts_never_get_less(one: Cluster, gib: int, vcpu: int) -> None:
    more = larger(one, gib, vcpu)
    assume(fits(one) and fits(more))
    small, large = lines_of(size(one)), lines_of(size(more))
    for name in ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem"):
        assert large[name] >= small[name], name
    assert large["max_connections"] >= small["max_connections"]
    for before, after in zip(size(one).hosts, size(more).hosts, strict=True):
        for container in before.containers:
            beside = after.container(container.name)
            taken = container.memory_bytes + container.hugepages_bytes
            assert beside.memory_bytes + beside.hugepages_bytes >= taken
        for role, service in before.temporal.items():
            assert after.temporal[role].connections >= service.connections


@given(
    one=layouts(),
    roles=st.sets(st.sampled_from([Role.HISTORY, Role.MATCHING, Role.WORKER, Role.FRONTEND]), min_size=1),
)
def test_another_host_never_lowers_what_the_cluster_carries(one: Cluster, roles: set[Role]) -> None:
    """Work is split evenly, so a weaker one could: it is as strong as the strongest.

    Where the database's memory does not carry its connections, everybody's pools are smaller: that may cost.
    """
    strongest = max(each.resources.vcpu for each in one.hosts)
    more = cluster(
        *one.hosts,
        host("new", *roles, memory_gib=64, vcpu=strongest, internal="10.0.9.9"),
        shards=one.temporal.shards,
        nofile=one.nofile,
    )
    assume(fits(one) and fits(more))
    before, after = size(one), size(more)
    assume(smallest_pool(after) >= smallest_pool(before))
    assert after.max_connections.value >= before.max_connections.value  # type: ignore[operator]  # numbers

    def tightest(of: Cluster, sized: Settings) -> float:
        return carried(of, sized, Load(), Coefficients())[0].workflows_per_s

    assert tightest(more, after) >= tightest(one, before) * 0.999999


@given(one=layouts())
def test_the_same_inventory_is_sized_the_same(one: Cluster) -> None:
    assume(fits(one))
    assert size(one) == size(one)
