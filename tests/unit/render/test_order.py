"""The place of a host in the inventory, and its name, change nothing that a service starts with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.render import parse, render
from tempo_infra.render.tree import contents
from tempo_infra.sizing import size
from tests.unit.sizing.anything import layouts
from tests.unit.sizing.clusters import cluster, host

MANY = cluster(
    host("db-1", Role.POSTGRESQL, Role.HISTORY, memory_gib=8, internal="10.0.0.12"),
    host("front-1", Role.FRONTEND, Role.WORKER, Role.UI, internal="10.0.0.9"),
    host("front-2", Role.FRONTEND, Role.MATCHING, internal="10.0.0.100"),
    host("history-1", Role.HISTORY, Role.MATCHING, Role.UI, internal="10.0.0.11"),
)


def files(one: Cluster) -> dict[str, dict[str, bytes]]:
    return {found.host: contents(found) for found in render(one, size(one))}


def reordered(one: Cluster, order: tuple[int, ...] | list[int]) -> Cluster:
    return replace(one, hosts=tuple(one.hosts[number] for number in order))


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1)], ids=str)
def test_hosts_in_another_order_are_the_same_files(order: tuple[int, ...]) -> None:
    assert files(reordered(MANY, order)) == files(MANY)


@pytest.mark.thorough
@given(one=layouts(), data=st.data())
def test_so_it_is_for_any_cluster(one: Cluster, data: st.DataObject) -> None:
    try:
        before = files(one)
    except InputError:
        assume(condition=False)
    assert files(reordered(one, data.draw(st.permutations(range(len(one.hosts)))))) == before


def test_a_frontend_with_another_name_starts_nothing_anew() -> None:
    """The name stands in comments and in the manifest."""
    renamed = replace(MANY, hosts=tuple(replace(one, name=f"zz-{one.name}") for one in MANY.hosts))
    for name, before in files(MANY).items():
        after = files(renamed)[f"zz-{name}"]
        assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} <= {
            "docker-compose.yml",
            "manifest.json",
        }
        assert parse.compose(after["docker-compose.yml"].decode()) == parse.compose(
            before["docker-compose.yml"].decode()
        )
