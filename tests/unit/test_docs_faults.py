"""The planted faults and the lists of healthy hosts name checks that there are; every check is proved."""

from __future__ import annotations

from docs import faults_page
from lab.expected import RACK, VM
from tempo_infra.checks import CHECKS
from tests.lab.planted import FAULTS
from tests.lab.planted.fault import Fault
from tests.lab.planted.recorded import RECORDED, Recorded

KNOWN = {check.id for check in CHECKS}
ALL: tuple[Fault | Recorded, ...] = (*FAULTS, *RECORDED)
TELLS_ONLY = {"cpu.speed", "containerd.version"}  # a figure for people, which nothing can fail


def test_every_fault_belongs_to_checks_that_there_are() -> None:
    for fault in FAULTS:
        assert {fault.check, *fault.also, *fault.may} <= KNOWN, fault.name
    for recorded in RECORDED:
        assert {recorded.check, *recorded.also} <= KNOWN, recorded.name


def test_the_lists_of_healthy_hosts_name_checks_that_there_are() -> None:
    for known in (*RACK.values(), VM):
        assert {name.partition(" ")[0] for name in known} <= KNOWN


def test_every_check_is_the_owner_of_a_fault() -> None:
    owners = {one.check for one in ALL}
    lacking = KNOWN - owners - TELLS_ONLY
    assert lacking == set(), "plant one (tests/lab/planted), or record facts (tests/data/facts/recorded.json)"


def test_no_two_faults_have_the_same_name() -> None:
    names = [one.name for one in ALL]
    assert len(names) == len(set(names)) >= 40


def test_the_page_lists_every_fault_with_its_owner() -> None:
    lines = faults_page.page().splitlines()
    for fault in ALL:
        [row] = [line for line in lines if line.startswith(f"| {fault.name} |")]
        assert f"[{fault.check}](checks.md#{fault.check.replace('.', '')}) {fault.outcome} |" in row
