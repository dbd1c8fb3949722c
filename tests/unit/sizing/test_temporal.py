"""Temporal's settings: caches within the container, ports that no two services share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tempo_infra.components import COMPONENTS
from tempo_infra.components.component import Reach
from tempo_infra.inventory import dynamic_config
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.sizing import size
from tests.unit.sizing.clusters import cluster, host, solo, trio

if TYPE_CHECKING:
    from tempo_infra.sizing.settings import Value


def dynamic(one: str, role: Role, *, second_history: bool = False, vcpu: int = 2) -> dict[str, Value]:
    hosts = [*trio().hosts]
    if vcpu != 2:
        hosts.append(host("match-2", Role.MATCHING, vcpu=vcpu, internal="10.0.0.15"))
    if second_history:
        hosts.append(host("history-2", Role.HISTORY, internal="10.0.0.14"))
    found = size(cluster(*hosts)).host(one).temporal[role].dynamic
    return {setting.name: setting.scalar for setting in found}


@pytest.mark.parametrize("memory_gib", [2, 4, 8, 32])
def test_history_caches_fit_under_the_collectors_limit(memory_gib: int) -> None:
    sized = size(solo(memory_gib)).host("solo-1")
    values = {s.name: s.value for s in sized.temporal[Role.HISTORY].dynamic}
    caches = int(values["history.hostLevelCacheMaxSizeBytes"]) + int(
        values["history.eventsHostLevelCacheMaxSizeBytes"]
    )
    limit = sized.container("history").gomemlimit_bytes
    assert limit is not None
    assert 0.4 * limit < caches < 0.6 * limit


def test_a_cache_is_bounded_by_bytes() -> None:
    values = dynamic("history-1", Role.HISTORY)
    assert values["history.cacheSizeBasedLimit"] is True
    assert values["history.enableHostLevelEventsCache"] is True


@pytest.mark.parametrize("role", TEMPORAL_ROLES)
def test_ids_fit_into_their_columns_everywhere(role: Role) -> None:
    one = "history-1" if role is Role.HISTORY else "front-1"
    assert dynamic(one, role)["limit.maxIDLength"] == 255


def test_the_frontends_limits_of_calls_follow_its_cpus() -> None:
    one = cluster(*trio().hosts, host("front-2", Role.FRONTEND, vcpu=8, internal="10.0.0.16"))
    found = {
        h.host: h.temporal[Role.FRONTEND].dynamic for h in size(one).hosts if Role.FRONTEND in h.temporal
    }
    for name, rps in (("front-1", 4800), ("front-2", 19200)):
        values = {setting.name: setting.value for setting in found[name]}
        assert (values["frontend.rps"], values["frontend.namespaceRPS"]) == (rps, rps)


def test_nothing_calls_home() -> None:
    assert dynamic("front-1", Role.FRONTEND)["frontend.enableServerVersionCheck"] is False


def test_only_several_hosts_align_their_changes() -> None:
    assert "history.alignMembershipChange" not in dynamic("history-1", Role.HISTORY)
    aligned = dynamic("history-1", Role.HISTORY, second_history=True)
    assert aligned["history.alignMembershipChange"] == "10s"
    assert "matching.alignMembershipChange" not in dynamic("front-1", Role.MATCHING, second_history=True)


@pytest.mark.parametrize(("vcpu", "partitions"), [(2, 1), (16, 4)])
def test_partitions_follow_the_cpus_that_match(vcpu: int, partitions: int) -> None:
    values = dynamic("front-1", Role.FRONTEND, vcpu=vcpu)
    assert values["matching.numTaskqueueReadPartitions"] == partitions
    assert values["matching.numTaskqueueWritePartitions"] == partitions


@pytest.mark.parametrize("version", dynamic_config.versions())
def test_a_sized_value_reaches_who_reads_it_and_nobody_else(version: str) -> None:
    """Else it has no effect, or a change for one service restarts them all."""
    # Each member asks for that of its own service: common/membership/ringpop/factory.go
    asked_by_one = ("history.alignMembershipChange", "matching.alignMembershipChange")
    one = cluster(*trio().hosts, host("match-2", Role.MATCHING, Role.HISTORY, internal="10.0.0.15"))
    one = replace(one, temporal=replace(one.temporal, version=version))
    placed: dict[str, set[str]] = {}
    for sized in size(one).hosts:
        for role, service in sized.temporal.items():
            for setting in service.dynamic:
                placed.setdefault(setting.name, set()).add(role.value)
    assert len(placed) > 15
    for name, roles in placed.items():
        readers = (
            {name.partition(".")[0]} if name in asked_by_one else dynamic_config.key(version, name).readers
        )
        assert roles == readers, name


def test_ports_are_distinct_and_fit_into_the_membership_table() -> None:
    rows = [one for one in COMPONENTS if one.kind == "temporal"]
    ports = [port.number for one in rows for port in one.ports if port.reach is not Reach.OWN_HOST]
    assert tuple(one.name for one in rows) == TEMPORAL_ROLES
    assert len(ports) == len(set(ports)) == 9
    assert max(ports) < 32768


@pytest.mark.parametrize(
    ("shards", "said"), [(512, "4 x what is needed for"), (4, "too few (under 128) for")]
)
def test_shards_are_weighed_against_today_s_host(shards: int, said: str) -> None:
    found = size(solo(shards=shards)).shard_setting
    assert f"{said} today's 4 vCPU" in found.reason
    assert "fixed at the first start" in found.note
