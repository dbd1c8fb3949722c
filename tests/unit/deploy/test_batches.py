from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import pytest

from tempo_infra.deploy.batches import batches, late, running
from tempo_infra.deploy.plan import HostPlan
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Host, Role
from tests.unit.deploy.test_plan import HOST


def hosts(prefix: str, count: int, *roles: Role, down: int = -1) -> list[tuple[object, HostPlan]]:
    return [
        (
            replace(HOST, name=f"{prefix}-{n}", roles=roles),
            HostPlan(f"{prefix}-{n}", "d", starts=("x",) if n == down else ()),
        )
        for n in range(count)
    ]


def order(*groups: list[tuple[object, HostPlan]]) -> list[list[str]]:
    return batches([one for group in groups for one in group])  # type: ignore[misc]  # Host, made by replace


def test_the_first_host_of_a_role_is_a_canary_and_at_most_a_third_goes_at_once() -> None:
    assert [len(batch) for batch in order(hosts("h", 14, Role.HISTORY))] == [1, 4, 4, 4, 1]
    assert [len(batch) for batch in order(hosts("h", 2, Role.HISTORY))] == [1, 1]
    assert max(len(batch) for batch in order(hosts("h", 100, Role.HISTORY))) == 10


def test_roles_come_in_the_order_in_which_they_serve_each_other() -> None:
    frontends = hosts("f", 2, Role.FRONTEND, Role.UI)
    assert order(frontends, hosts("m", 1, Role.MATCHING), hosts("h", 2, Role.HISTORY)) == [
        ["h-0"], ["h-1"], ["m-0"], ["f-0"], ["f-1"],
    ]  # fmt: skip


def test_a_host_with_several_roles_comes_with_the_last_of_them() -> None:
    assert order(hosts("a", 1, Role.HISTORY, Role.FRONTEND), hosts("m", 1, Role.MATCHING)) == [
        ["m-0"],
        ["a-0"],
    ]


def test_a_host_that_is_down_has_the_least_to_lose() -> None:
    assert order(hosts("h", 4, Role.HISTORY, down=2))[0] == ["h-2"]


def both_hosts() -> list[tuple[Host, Host]]:
    """Every way of putting the roles on two hosts: on one of them or, but for the database, on both."""
    here, there, both = (True, False), (False, True), (True, True)
    found = []
    for database, *others, ui in product((here, there), *[(here, there, both)] * 4, (here, there, both)):
        places = (*zip((Role.POSTGRESQL, *TEMPORAL_ROLES, Role.UI), (database, *others, ui), strict=True),)
        found.append(
            (
                replace(HOST, name="a", roles=tuple(role for role, place in places if place[0])),
                replace(HOST, name="b", roles=tuple(role for role, place in places if place[1])),
            )
        )
    return found


@pytest.mark.parametrize(
    "down", [("a", "b"), ("a",), ("b",), ()], ids=["nothing runs", "b runs", "a runs", "all run"]
)
def test_no_service_is_waited_for_before_what_it_needs_serves_in_any_shape_of_two_hosts(
    down: tuple[str, ...],
) -> None:
    waits = 0
    for pair in both_hosts():
        for hosts in permutations(pair):
            stopped = {host.name: tuple(map(str, host.temporal_roles)) for host in hosts if host.name in down}
            plans = [(h, HostPlan(h.name, "d", starts=stopped.get(h.name, ()))) for h in hosts if _serves(h)]
            there, groups = set(running(hosts, stopped)), batches(plans)
            waiting = late(groups, hosts, there)
            roles = {host.name: set(host.temporal_roles) for host in hosts}
            for name in (name for group in groups for name in group):
                now = roles[name] - set(waiting.get(name, ()))
                there |= now
                assert Role.WORKER not in now or there >= {Role.HISTORY, Role.MATCHING, Role.FRONTEND}, hosts
                waits += name in waiting
                assert set(waiting.get(name, ())) <= {Role.WORKER}, hosts
            assert there - {Role.UI} | {Role.WORKER} == set(TEMPORAL_ROLES)
    assert (waits > 0) is bool(down)


def _serves(host: Host) -> bool:
    return bool(host.temporal_roles) or host.has(Role.UI)


def test_a_cluster_of_two_equal_hosts_waits_for_nothing() -> None:
    alike = hosts("h", 2, *TEMPORAL_ROLES, down=0) + hosts("g", 1, *TEMPORAL_ROLES, Role.UI)
    assert not late(batches(alike), [host for host, _ in alike], frozenset())  # type: ignore[misc,arg-type]
