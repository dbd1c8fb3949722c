"""An engine that makes no rules of the firewall carries only what shares its host's network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.deploy.engine import behind_the_bridge, objections
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.on_host.state import Docker
from tempo_infra.render import render
from tempo_infra.sizing import size
from tests.unit.deploy.test_plan import FRESH

INVENTORIES = Path(__file__).parents[3] / "inventory"
WITHOUT_RULES = replace(FRESH, docker=Docker("28.1.0", "2.35.0", filters=False))


def said(cluster: Cluster, host: str, *, filters: bool = False) -> list[str]:
    bundle = next(one for one in render(cluster, size(cluster)) if one.host == host)
    state = replace(WITHOUT_RULES, docker=replace(WITHOUT_RULES.docker, filters=filters))
    return list(objections(cluster.host(host), bundle, state, bootstrap=False))


@pytest.mark.parametrize(
    ("inventory", "host", "named"),
    [
        ("single", "solo-1", "frontend, history, matching, postgresql, worker"),
        ("oslo-trio", "db-1", "postgresql"),
        ("oslo-trio", "history-1", "history"),
    ],
)
def test_services_behind_the_bridge_are_named(inventory: str, host: str, named: str) -> None:
    cluster = load(INVENTORIES / f"{inventory}.yaml")
    [problem] = said(cluster, host)
    assert f'("iptables": false): containers of {named} would not reach other hosts' in problem
    assert "take it out of /etc/docker/daemon.json and restart docker, or use network: host" in problem
    assert said(cluster, host, filters=True) == []


def test_services_in_their_hosts_network_need_no_rules() -> None:
    """The UI beside its frontend is published by a program and asks its own host; one elsewhere is not."""
    cluster = replace(load(INVENTORIES / "oslo-trio.yaml"), network="host")
    assert [said(cluster, host.name) for host in cluster.hosts] == [[], [], []]
    bundle = render(cluster, size(cluster))[0]
    apart = replace(
        cluster.host("front-1"), roles=tuple(r for r in cluster.host("front-1").roles if r != "frontend")
    )
    assert behind_the_bridge(apart, bundle) == ["ui"]
