"""Namespaces: what Temporal has is what was asked for, and what could not be had is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.topology import instances, store
from tests.lab.conftest import Inventory, Variants, containers, starts

COMPOSE = ["docker", "compose", "-f", "/var/lib/tempo-infra/current/docker-compose.yml", "--profile", "tools"]
RUN = [*COMPOSE, "run", "--rm", "-T", "--no-deps", "admin-tools", "temporal", "operator", "namespace"]
LIST = r"  namespaces:\n(    - .*\n)+"
# The database refuses one namespace: Temporal answers with an error, each time.
CURSE = """
create function refuse() returns trigger language plpgsql as
$$ begin if new.name = 'cursed' then raise exception 'not this one'; end if; return new; end $$;
create trigger refuse before insert on namespaces for each row execute function refuse();
"""
BLESS = "drop trigger if exists refuse on namespaces; drop function if exists refuse;"


@dataclass(frozen=True)
class Temporal:
    """The cluster's own idea of its namespaces."""

    front: Host
    database: Host
    lab: Lab

    def operator(self, *words: str) -> str:
        return self.front.must([*RUN, *words])

    def has(self) -> dict[str, str]:
        """Name -> retention, of those that are not the tool's or the server's."""
        found = json.loads(self.operator("list", "-o", "json"))
        told = {one["namespaceInfo"]["name"]: one["config"] for one in found}
        return {
            name: config["workflowExecutionRetentionTtl"]
            for name, config in told.items()
            if not name.startswith("temp") and "-deleted-" not in name
        }

    def sql(self, text: str) -> None:
        id_ = containers(self.lab, self.database.name)["postgresql"]["Id"]
        self.database.must(["docker", "exec", id_, "psql", "-U", "postgres", "-d", "temporal", "-c", text])


@pytest.fixture
def temporal(cluster: Inventory, lab: Lab) -> Iterator[Temporal]:
    """The shared cluster, whose namespaces are put right at the end."""
    found = load(cluster.path)
    front = instances(found, Role.FRONTEND)[0].host.name
    yield Temporal(lab.host(front), lab.host(store(found).writer.name), lab)
    cluster.provision()


def test_one_that_was_deleted_and_one_that_was_changed_are_seen_and_put_right(
    cluster: Inventory, lab: Lab, variant: Variants, temporal: Temporal
) -> None:
    two = variant(
        (LIST, "  namespaces:\n    - {name: billing, retention: 72h}\n    - {name: away1, retention: 24h}\n")
    )
    two.provision()
    before = starts(lab)
    temporal.operator("update", "-n", "billing", "--retention", "240h")
    temporal.operator("delete", "-n", "away1", "--yes")

    drift = two.run("diff")
    assert drift.code == 1
    assert "~ namespace billing keeps 240h in Temporal, 72h was provisioned" in drift.out
    assert "- namespace away1 is not in Temporal" in drift.out
    plan = two.run("plan", "--detailed-exitcode")
    assert plan.code == 4
    assert "~ namespace billing                              retention 240h -> 72h" in plan.out
    assert "+ namespace away1                                retention 24h" in plan.out
    assert "are deleted after 72h, not 240h" in " ".join(plan.out.split())

    ran = two.provision()
    assert "namespaces created away1, updated billing" in ran.out
    assert temporal.has() == {"billing": "259200s", "away1": "86400s"}
    assert two.run("plan", "--detailed-exitcode").code == 0
    assert starts(lab) == before
    temporal.operator("delete", "-n", "away1", "--yes")


def test_one_that_leaves_the_inventory_stays_and_the_plan_says_so(
    variant: Variants, temporal: Temporal
) -> None:
    temporal.operator("create", "-n", "away2", "--retention", "48h")
    plan = variant((LIST, "  namespaces:\n    - {name: away3, retention: 24h}\n")).run("plan", "--no-diff")
    said = " ".join(plan.out.split())
    assert "+ namespace away3 retention 24h" in said
    assert "in Temporal but not in the inventory, left as they are: away2, billing" in said
    temporal.operator("delete", "-n", "away2", "--yes")


@pytest.mark.faults
def test_one_that_can_not_be_made_fails_the_run_and_the_next_run_makes_it(
    variant: Variants, lab: Lab, temporal: Temporal
) -> None:
    lines = [
        f"    - {{name: {name}, retention: {span}}}\n"
        for name, span in (("billing", "72h"), ("cursed", "24h"), ("later", "48h"))
    ]
    wanted = variant((LIST, "  namespaces:\n" + "".join(lines)))
    before = starts(lab)
    temporal.sql(CURSE)
    try:
        ran = wanted.run("provision")
        assert ran.code == 1
        said = " ".join(ran.said.split())
        assert "namespaces: cursed:" in said
        assert "not this one" in said
        assert "created later" in said
        assert "provision tries the others again" in said
        assert temporal.has() == {"billing": "259200s", "later": "172800s"}
        again = wanted.run("plan", "--no-diff", "--detailed-exitcode")
        assert again.code == 4
        assert "+ namespace cursed" in again.out
        assert "namespace later" not in again.out
    finally:
        temporal.sql(BLESS)
    wanted.provision()
    assert temporal.has() == {"billing": "259200s", "cursed": "86400s", "later": "172800s"}
    assert starts(lab) == before
    for name in ("cursed", "later"):
        temporal.operator("delete", "-n", name, "--yes")
