"""pgtune's rules against vectors of its own code (OLTP, Linux, 200 connections), and what explain says."""

from __future__ import annotations

import pytest

from tempo_infra.sizing import size
from tempo_infra.sizing.pgtune import rules
from tempo_infra.sizing.settings import GIB
from tests.unit.sizing.clusters import trio


@pytest.mark.parametrize(
    ("gib", "vcpu", "expected"),
    [
        (8, 4, {"shared_buffers": "2GB", "effective_cache_size": "6GB", "maintenance_work_mem": "512MB"}),
        (8, 4, {"work_mem": "10280kB", "wal_buffers": "16MB", "max_wal_size": "8GB", "min_wal_size": "2GB"}),
        (16, 8, {"shared_buffers": "4GB", "maintenance_work_mem": "1GB", "work_mem": "20164kB"}),
        (64, 16, {"shared_buffers": "16GB", "maintenance_work_mem": "4GB", "work_mem": "77672kB"}),
        (64, 16, {"autovacuum_max_workers": "4", "autovacuum_work_mem": "2GB", "huge_pages": "try"}),
        (4, 2, {"huge_pages": "off", "effective_io_concurrency": "1000", "random_page_cost": "1.1"}),
    ],
)
def test_the_vectors_of_its_own_code(gib: int, vcpu: int, expected: dict[str, str]) -> None:
    found = rules(gib * GIB, vcpu, "nvme", 200, 17)
    assert {name: found[name] for name in expected} == expected


def test_it_would_break_in_a_container_from_18_on() -> None:
    assert rules(8 * GIB, 4, "nvme", 200, 18)["io_method"] == "io_uring"
    assert "io_method" not in rules(8 * GIB, 4, "nvme", 200, 17)


def test_every_line_says_what_others_would_set() -> None:
    host = size(trio(32)).host("db-1")
    buffers = host.setting("shared_buffers")
    assert buffers is not None
    assert buffers.instead == (("article", "2GB"), ("pgtune", "8GB"), ("server default", "128MB"))
    without = {"listen_addresses", "unix_socket_directories"}  # text that the build decides
    for setting in host.postgresql:
        assert dict(setting.instead).get("server default") or setting.name in without, setting.name
