"""`network: host`: services bind the internal address themselves, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from tempo_infra.render import render
from tempo_infra.sizing import size
from tests.unit.inventory.texts import cluster as loaded
from tests.unit.inventory.texts import refusal
from tests.unit.sizing.clusters import solo, trio

HOST = replace(trio(), network="host")


def files(one: Any = HOST) -> dict[tuple[str, str], str]:
    return {
        (bundle.host, file.logical): file.content.decode()
        for bundle in render(one, size(one))
        for file in bundle.files
    }


def services(one: Any = HOST) -> dict[str, Any]:
    """Every service of every host by its name."""
    texts = (text for (_, name), text in files(one).items() if name == "docker-compose.yml")
    return {name: service for text in texts for name, service in yaml.safe_load(text)["services"].items()}


def test_services_share_the_network_and_publish_nothing_but_the_ui() -> None:
    found = services()
    assert {name for name, one in found.items() if one.get("network_mode") == "host"} == set(found) - {"ui"}
    assert [name for name, one in found.items() if "ports" in one] == ["ui"]
    assert found["ui"]["ports"] == ["127.0.0.1:8080:8080"]


def test_the_internal_address_is_the_only_one_that_is_bound() -> None:
    for (host, name), text in files().items():
        internal = HOST.host(host).internal
        if name.endswith("server.yaml"):
            rpc = yaml.safe_load(text)["services"]
            assert {one["rpc"]["bindOnIP"] for one in rpc.values()} == {internal}
        if name.endswith("postgresql.conf"):
            assert f"\nlisten_addresses = '{internal}'\n" in text
    assert services()["history"]["healthcheck"]["test"] == ["CMD", "nc", "-z", "10.0.0.12", "7234"]
    assert services()["schema"]["environment"]["SQL_HOST"] == "10.0.0.13"


def test_the_schema_job_may_log_in_from_its_hosts_address() -> None:
    hba = files()["db-1", "services/postgresql/pg_hba.conf"]
    assert {f"10.0.0.{last}/32" for last in (11, 12, 13)} <= set(hba.split())
    bridge = files(trio())["db-1", "services/postgresql/pg_hba.conf"]
    assert "10.0.0.13/32" not in bridge


def test_the_hosts_own_kernel_settings_count_then() -> None:
    for host in HOST.hosts:
        assert "\nnet.core.somaxconn = 4096\n" in files()[host.name, "etc/sysctl.d/60-tempo-infra.conf"]


def test_its_risk_stands_in_every_plan() -> None:
    one = loaded(("hosts:", "network: host\nhosts:"))
    assert [risk.partition(":")[0] for risk in size(one).risks] == ["host-network"]
    assert size(one).risks[0].endswith("(folder/test.yaml:10:10)")
    assert size(loaded(("hosts:", "network: bridge\nhosts:"))).risks == ()


def test_bridge_is_the_default() -> None:
    assert not any("network_mode" in one for one in services(solo()).values())
    assert services(solo())["postgresql"]["ports"] == ["10.0.0.10:5432:5432"]


@pytest.mark.parametrize("word", ["Host", "none", "overlay"])
def test_other_networks_are_refused(word: str) -> None:
    assert f'network: unknown network "{word}"' in refusal(("hosts:", f"network: {word}\nhosts:"))[0]
