"""check-host on a machine with a kernel, a clock and disks of its own: each planted fault is found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

import lab.vm
from lab.errors import LabError
from lab.expected import VM as BASELINE
from lab.expected import beyond
from lab.vm import VM
from tempo_infra.inventory import load
from tests.lab.conftest import COMMAND
from tests.lab.planted import IN_THE_VM
from tests.lab.planted.clocks import keep_time
from tests.lab.planted.fault import Fault, Site
from tests.lab.planted.settings import as_provisioned
from tests.lab.test_planted_faults import judge

pytestmark = [pytest.mark.vm, pytest.mark.faults]
DEADLINE_S = 300
QUICK = ("--quick",)
FAILED = pytest.StashKey[int]()  # how many tests had failed when the VM was last started again


@pytest.fixture(scope="module")
def vm() -> Iterator[VM]:
    try:
        loaded = lab.vm.load()
    except LabError as error:
        pytest.exit(f"the VM is not up: {error}; run `make lab-vm-up`", returncode=2)
    yield loaded
    loaded.restore()


@pytest.fixture
def site(vm: VM, request: pytest.FixtureRequest) -> Site:
    """The VM as its list says; started again after a failed test, whose fault may not have been healed."""
    made, failed = Site(vm.name, load(vm.inventory), vm), request.session.testsfailed
    if request.session.stash.get(FAILED, None) != failed:
        begin_anew(made)
        request.session.stash[FAILED] = failed
    return made


def begin_anew(site: Site) -> None:
    """As after its first boot, with kernel settings as provisioning sets them, and with the time."""
    try:
        site.vm.restore()
        # What these need is translated for the emulated CPU once; the first time takes long.
        site.shell("docker compose version && docker info > /dev/null")
        as_provisioned(site)
        keep_time(site)
    except LabError as error:
        pytest.exit(f"the VM can't be made ready: {error}", returncode=2)


def ask(vm: VM, *words: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [COMMAND, "check-host", "-i", vm.inventory, "--format", "json", *words],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    [report] = json.loads(done.stdout)["hosts"]
    assert report["error"] == "", done.stderr
    findings: list[dict[str, Any]] = report["findings"]
    return findings


@pytest.mark.parametrize("words", [QUICK, ()], ids=["quick", "full"])
def test_a_healthy_machine_is_as_its_list_says(site: Site, words: tuple[str, ...]) -> None:
    assert beyond(ask(site.vm, *words), BASELINE, quick=bool(words)) == {}


@pytest.mark.parametrize("fault", IN_THE_VM, ids=lambda one: one.name)
def test_a_planted_fault_is_found_by_its_check_and_by_no_other(site: Site, fault: Fault) -> None:
    words = (*fault.words, *(() if fault.full else QUICK))
    with fault.plant(site):
        findings = ask(site.vm, *words)
    judge(fault, findings, BASELINE)


def test_after_all_faults_the_machine_is_as_before(site: Site) -> None:
    assert beyond(ask(site.vm, *QUICK), BASELINE, quick=True) == {}
