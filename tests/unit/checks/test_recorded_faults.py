"""Faults that can't be made in the lab: each is found in recorded facts by its check, and by no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.on_host.facts import Facts
from tempo_infra.on_host.ports import Listener
from tempo_infra.on_host.probes.reading import Reading
from tests.lab.planted.recorded import RECORDED, Recorded, planted
from tests.unit.checks.backups import told
from tests.unit.checks.hosts import GB, GIB, container, generation, having, healthy, with_database

INVENTORY = Path(__file__).parents[3] / "inventory/oslo-trio.yaml"
MEMBERS = (
    "frontend 10.0.0.11:6933",
    "history 10.0.0.12:6934",
    "matching 10.0.0.11:6935",
    "worker 10.0.0.11:6939",
)
HARMLESS = {"pass", "skip"}
ABSENT: Reading[Any] = Reading(None, "there is none on this host", not_wanted=True)


def history_1() -> Facts:
    """The inventory's history host, in order."""
    facts = having(healthy(), "memory.total_bytes", Reading(16 * GIB))
    space = replace(facts.disk.value.space.value, size_bytes=172 * GB, free_bytes=120 * GB)  # type: ignore[union-attr, type-var]  # it has one
    return having(facts, "disk.space", Reading(space))


def db_1() -> Facts:
    """The inventory's database host, in order."""
    facts = having(with_database(), "memory.total_bytes", Reading(32 * GIB))
    space = replace(facts.disk.value.space.value, size_bytes=344 * GB, free_bytes=300 * GB)  # type: ignore[union-attr, type-var]  # it has one
    for path, value in {
        "disk.space": space,
        "cpu.count": 8,
        "docker.containers": (container("postgresql"),),
        "generation": generation("postgresql"),
        "network.listeners": (Listener("10.0.0.13", 5432),),
        "network.reached": None,
        "roles": None,
        "database.members": MEMBERS,
        "components": {"postgresql": Reading(told())},
    }.items():
        facts = having(facts, path, ABSENT if value is None else Reading(value))
    return facts


HOSTS = {"history-1": history_1(), "db-1": db_1()}


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """What is found on each host while it is in order."""
    folder = tmp_path_factory.mktemp("facts")
    return {host: findings(folder, host, facts.to_json()) for host, facts in HOSTS.items()}


def findings(tmp_path: Path, host: str, facts: dict[str, Any]) -> dict[str, set[str]]:
    """Judge facts as `check-host --facts` does; what isn't harmless, by check."""
    kept = tmp_path / "facts.json"
    kept.write_text(json.dumps({"hosts": {host: facts}}), "utf-8")
    words = ("check-host", "--facts", str(kept), "-i", str(INVENTORY), "--format", "json")
    result = CliRunner().invoke(app, words)
    [report] = json.loads(result.stdout)["hosts"]
    assert report["error"] == ""
    found: dict[str, set[str]] = {}
    for one in report["findings"]:
        found.setdefault(one["id"], set()).add(one["outcome"])
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_a_healthy_host_raises_no_alarm(in_order: dict[str, dict[str, set[str]]], host: str) -> None:
    assert {name: outcomes for name, outcomes in in_order[host].items() if not outcomes <= HARMLESS} == {}


@pytest.mark.parametrize("fault", RECORDED, ids=lambda fault: fault.name)
def test_a_recorded_fault_is_found_by_its_check_and_by_no_other(
    tmp_path: Path, fault: Recorded, in_order: dict[str, dict[str, set[str]]]
) -> None:
    found = findings(tmp_path, fault.host, planted(HOSTS[fault.host].to_json(), fault))
    assert fault.outcome in found[fault.check]
    changed = {name for name in found if found[name] != in_order[fault.host][name]}
    assert changed == {fault.check, *fault.also}
