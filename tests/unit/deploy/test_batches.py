from __future__ import annotations

from dataclasses import replace

from tempo_infra.deploy.batches import batches
from tempo_infra.deploy.plan import HostPlan
from tempo_infra.inventory.cluster import Role
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
