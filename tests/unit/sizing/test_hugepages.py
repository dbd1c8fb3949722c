"""The formula for huge pages against what real servers said, and where the pages are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Overrides
from tempo_infra.sizing import hugepages, size
from tempo_infra.sizing.settings import GIB, MIB
from tests.unit.sizing.clusters import trio

# `postgres -C shared_memory_size_in_huge_pages` of 15.18, 16.14, 17.10 and 18.4, with wal_buffers 16MB and
# four autovacuum workers: version, shared_buffers, max_connections, max_locks_per_transaction, pages.
MEASURED = [
    (15, "2GB", 40, 64, 1059),
    (15, "2GB", 1000, 256, 1117),
    (15, "64GB", 1000, 256, 33559),
    (16, "2GB", 40, 64, 1059),
    (16, "64GB", 1000, 256, 33559),
    (17, "8GB", 40, 64, 4217),
    (17, "2GB", 1000, 256, 1125),
    (17, "64GB", 1000, 256, 33605),
    (18, "8GB", 1000, 64, 4258),
    (18, "2GB", 1000, 256, 1147),
    (18, "64GB", 1000, 256, 33628),
]


@pytest.mark.parametrize(("version", "buffers", "connections", "locks", "pages"), MEASURED)
def test_never_too_few_and_hardly_too_many(
    version: int, buffers: str, connections: int, locks: int, pages: int
) -> None:
    values = {
        "shared_buffers": buffers,
        "max_connections": str(connections),
        "max_locks_per_transaction": str(locks),
        "autovacuum_max_workers": "4",
        "wal_buffers": "16MB",
    }
    assert pages <= hugepages.pages(version, values) <= pages * 1.01 + 36


def test_small_databases_reserve_none() -> None:
    assert not [s for s in size(trio(32)).host("db-1").sysctl if s.name == "vm.nr_hugepages"]
    assert size(trio(32)).host("db-1").container("postgresql").hugepages_bytes == 0


def test_pages_are_counted_on_the_host_and_not_in_the_container() -> None:
    sized = size(trio(64)).host("db-1")
    pages = next(int(str(s.value)) for s in sized.sysctl if s.name == "vm.nr_hugepages")
    database = sized.container("postgresql")
    assert database.hugepages_bytes == pages * 2 * MIB
    assert 15344 * MIB < database.hugepages_bytes < 15344 * MIB * 1.04
    total = sum(one.memory_bytes for one in sized.containers) + database.hugepages_bytes
    assert total + sized.os_reserve_bytes <= 64 * GIB
    assert "huge pages" in database.reason


def test_the_fallback_to_small_pages_fits_as_well() -> None:
    """`try` falls back in silence: the container's limit then holds shared_buffers, too."""
    database = size(trio(64)).host("db-1").container("postgresql")
    assert database.hugepages_bytes < database.memory_bytes // 2


def test_more_pages_than_the_host_has_are_refused() -> None:
    own = Overrides(sysctl={"vm.nr_hugepages": 40000})
    one = trio(64)
    hosts = [replace(host, overrides=own) if host.name == "db-1" else host for host in one.hosts]
    with pytest.raises(InputError, match=r'budget "memory" is over by \d+ MiB on db-1'):
        size(replace(one, hosts=tuple(hosts)))


def test_switched_off_means_none() -> None:
    one = replace(trio(64), overrides=Overrides(postgresql={"huge_pages": "off"}))
    assert not [s for s in size(one).host("db-1").sysctl if s.name == "vm.nr_hugepages"]


def test_pages_that_an_operator_reserves_beside_the_database_are_left_room() -> None:
    own = Overrides(sysctl={"vm.nr_hugepages": 200})
    front, *others = trio().hosts
    sized = size(replace(trio(), hosts=(replace(front, overrides=own), *others))).host("front-1")
    plain = size(trio()).host("front-1")
    before, after = (sum(each.memory_bytes for each in of.containers) for of in (plain, sized))
    assert before - after >= 380 * MIB
    assert after + 400 * MIB + sized.os_reserve_bytes <= 2 * GIB
