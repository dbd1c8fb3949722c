"""The kernel is told only what a host's roles need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tempo_infra.sizing import size
from tests.unit.sizing.clusters import ALL, cluster, host, trio

if TYPE_CHECKING:
    from tempo_infra.sizing.settings import Value


def sysctl(name: str) -> dict[str, Value]:
    return {setting.name: setting.value for setting in size(trio()).host(name).sysctl}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("front-1", {"vm.swappiness", "net.core.somaxconn"}),
        ("history-1", {"vm.swappiness"}),
        ("db-1", {"vm.swappiness", "vm.dirty_background_bytes", "vm.dirty_bytes"}),
    ],
)
def test_a_host_gets_what_its_roles_need(name: str, keys: set[str]) -> None:
    assert set(sysctl(name)) == keys


def test_only_the_database_host_changes_huge_pages() -> None:
    sized = size(trio())
    assert [one.host for one in sized.hosts if one.thp] == ["db-1"]
    thp = sized.host("db-1").thp
    assert thp is not None
    assert (thp.name, thp.value) == ("/sys/kernel/mm/transparent_hugepage/enabled", "madvise")


@pytest.mark.parametrize(("gib", "kind", "mib"), [(8, "nvme", 64), (32, "nvme", 256), (32, "hdd", 64)])
def test_a_fast_disk_may_write_larger_batches(gib: int, kind: str, mib: int) -> None:
    one = cluster(host("h", *ALL, memory_gib=gib, kind=kind))
    found = {setting.name: setting.value for setting in size(one).host("h").sysctl}
    assert found["vm.dirty_background_bytes"] == mib * 1024 * 1024
    assert found["vm.dirty_bytes"] == 4 * mib * 1024 * 1024


def test_swappiness_is_within_what_every_class_accepts() -> None:
    assert all(int(sysctl(name)["vm.swappiness"]) <= 10 for name in ("front-1", "history-1", "db-1"))
