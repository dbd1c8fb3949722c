"""How long a change of the database's schema may take."""

from __future__ import annotations

import pytest

from tempo_infra.inventory.cluster import Timing
from tests.unit.inventory.texts import cluster, refusal


@pytest.mark.parametrize(("gigabytes", "seconds"), [(0, 300), (6, 900), (36, 3900)])
def test_it_follows_from_the_size_of_the_data(gigabytes: int, seconds: int) -> None:
    """6 GB took 155 s on two shared cores; 35 million rows, about 36 GB and more, 57 minutes on 16 cores."""
    assert Timing().schema_s(gigabytes * 10**9) == seconds


def test_what_the_inventory_says_comes_first() -> None:
    found = cluster(("hosts:", "rollout: {migrate_within: 120m}\nhosts:"))
    assert found.timing.schema_s(10**12) == 7200
    [said] = refusal(("hosts:", "rollout: {migrate_within: 721m}\nhosts:"))
    assert "must be between 5m and 720m" in said
