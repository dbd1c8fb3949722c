"""check-host on the lab: each planted fault is found by the check that owns it, and by no other.

A fault that was not healed is found by the test of the next one on that host, and by the last test here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lab.expected import RACK as BASELINES
from lab.expected import Known, beyond
from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Cluster, Role
from tempo_infra.topology import instances
from tests.lab.conftest import Inventory, Variants
from tests.lab.planted import RACK
from tests.lab.planted.fault import Fault, Site

pytestmark = pytest.mark.lab

FINDINGS = list[dict[str, Any]]


def ask(inventory: Inventory, host: str, *words: str) -> FINDINGS:
    ran = inventory.run("check-host", "--format", "json", "--host", host, *words)
    [report] = json.loads(ran.out)["hosts"]
    assert report["error"] == "", ran.said
    findings: FINDINGS = report["findings"]
    return findings


def host_of(fault: Fault, cluster: Cluster) -> str:
    return instances(cluster, Role(fault.where))[0].host.name


def judge(fault: Fault, findings: FINDINGS, known: Mapping[str, Known]) -> None:
    """The owner finds it as it should; whoever else does is named in the row, with a reason."""
    owners = {one["outcome"] for one in findings if one["id"] == fault.check}
    found = beyond(findings, known, quick=not fault.full)
    assert fault.outcome in owners, f"{fault.check} didn't find it: {owners}, others: {found}"
    assert set(found) - {fault.check} - set(fault.also) - set(fault.may) == set()
    assert set(fault.also) <= set(found)


@pytest.mark.parametrize(
    "fault",
    [pytest.param(one, id=one.name, marks=[] if one.fast else pytest.mark.faults) for one in RACK],
)
def test_a_planted_fault_is_found_by_its_check_and_by_no_other(
    cluster: Inventory, lab: Lab, variant: Variants, fault: Fault
) -> None:
    told = load(cluster.path)
    name = host_of(fault, told)
    known = BASELINES[name]
    asked = variant(*fault.inventory) if fault.inventory else cluster
    words = (*fault.words, *(() if fault.full else ("--quick",)))
    with fault.plant(Site(name, told, lab.host(name))):
        findings = ask(asked, name, *words)
    judge(fault, findings, known)


@pytest.mark.parametrize("user", ["noisy", pytest.param("dash", marks=pytest.mark.faults)])
def test_a_login_of_another_kind_changes_nothing(cluster: Inventory, variant: Variants, user: str) -> None:
    """Whether its .bashrc prints, or its shell is not bash."""
    asked = variant((r"user: deploy", f"user: {user}"))
    found = ask(asked, "history-1", "--quick")
    assert beyond(found, BASELINES["history-1"], quick=True) == {}


@pytest.mark.parametrize("name", BASELINES)
def test_after_all_faults_a_host_is_as_before(cluster: Inventory, name: str) -> None:
    assert beyond(ask(cluster, name, "--quick"), BASELINES[name], quick=True) == {}
