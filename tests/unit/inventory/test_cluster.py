"""Questions that the rest of the program asks a cluster."""

from __future__ import annotations

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.scaffold import example
from tempo_infra.topology import store
from tests.unit.inventory.texts import cluster

TRIO = load(example("oslo-trio.yaml"))


def test_the_images_of_a_cluster() -> None:
    assert TRIO.image_names == (
        "postgres:17",
        "temporalio/admin-tools:1.31.2",
        "temporalio/server:1.31.2",
        "temporalio/ui:2.50.1",
    )
    assert "temporalio/ui:2.50.1" not in cluster(("[ui, ", "[")).image_names


def test_a_reference_names_registry_and_digest() -> None:
    found = cluster(
        (
            "hosts:",
            f"images: {{registry: 'r.no:5000', digests: {{'postgres:17': 'sha256:{'a' * 64}'}}}}\nhosts:",
        )
    )
    assert found.images.reference("postgres:17") == f"r.no:5000/postgres:17@sha256:{'a' * 64}"
    assert found.images.reference("temporalio/ui:2.50.1") == "r.no:5000/temporalio/ui:2.50.1"
    assert TRIO.images.reference("postgres:17") == "postgres:17"


def test_hosts_by_name_and_role() -> None:
    assert TRIO.host("db-1") is store(TRIO).writer
    assert [host.name for host in TRIO.with_role(Role.HISTORY, Role.UI)] == ["front-1", "history-1"]
    assert [host.name for host in TRIO.only(["db-1", "front-1"])] == ["front-1", "db-1"]
    assert TRIO.only(None) == TRIO.hosts
    with pytest.raises(InputError, match="it has: front-1, history-1, db-1"):
        TRIO.only(["db-2"])
