"""check-host on the lab: each planted fault changes the findings of the checks that own it, no other."""

from __future__ import annotations

import json

import pytest

from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tests.lab.check_host_faults import FAULTS, Fault
from tests.lab.conftest import Inventory

# Load of the lab's machine moves these by itself; they are judged from recorded facts in the unit tests.
RESTLESS = {"disk.fsync", "clock.skew", "net.rtt", "postgres.wal", "postgres.vacuum", "postgres.connections"}
Outcomes = dict[tuple[str, str], str]

pytestmark = pytest.mark.faults


def outcomes(inventory: Inventory, host: str, *words: str) -> Outcomes:
    """Return the outcome of each finding of a host, without those that move by themselves."""
    ran = inventory.run("check-host", "--quick", "--format", "json", "--host", host, *words)
    [report] = json.loads(ran.out)["hosts"]
    assert report["error"] == "", ran.said
    return {
        (one["id"], one["subject"]): one["outcome"] for one in report["findings"] if one["id"] not in RESTLESS
    }


def changed(before: Outcomes, after: Outcomes) -> set[str]:
    return {key[0] for key in {**before, **after} if before.get(key) != after.get(key)}


@pytest.mark.lab
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_changes_the_findings_of_its_checks_only(
    cluster: Inventory, lab: Lab, fault: Fault
) -> None:
    [name] = [host.name for host in load(cluster.path).hosts if host.has(Role(fault.role))][:1]
    before = outcomes(cluster, name, *fault.words)
    with fault.plant(lab.host(name)):
        found = changed(before, outcomes(cluster, name, *fault.words))
    assert fault.changes <= found | fault.may
    assert found <= fault.changes | fault.may
    healed = changed(before, outcomes(cluster, name, *fault.words))
    assert healed <= fault.may
