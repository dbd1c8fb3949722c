"""The same promise on a machine of its own, where a power cut loses what was not flushed."""

from __future__ import annotations

import pytest

import lab.vm
from lab.errors import LabError
from tests.lab import invariants
from tests.lab.reliability import case as runner
from tests.lab.reliability import results
from tests.lab.reliability.bed import Bed, Change
from tests.lab.reliability.case import Case
from tests.lab.reliability.vm_cases import VM_CASES
from tests.lab.reliability.vm_host import VmHost

pytestmark = [pytest.mark.vm, pytest.mark.faults]


@pytest.fixture(scope="session")
def bed() -> Bed:
    """The VM with the light bed; as it is when it carries that already."""
    try:
        loaded = lab.vm.load()
    except LabError as error:
        pytest.exit(f"the VM is not up: {error}; run `make lab-vm-up`", returncode=2)
    bed = Bed(loaded.place.root, VmHost(loaded), "vm")
    if not loaded.running() or not _is_light(bed):
        loaded.restore()
        bed.provision(Change.new())
    bed.make_foreign()
    return bed


def _is_light(bed: Bed) -> bool:
    try:
        seen = bed.look()
    except (RuntimeError, LabError):
        return False
    return set(seen["containers"]) == {"ui"} and not invariants.wrong_with(seen)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in VM_CASES])
def test_after_a_power_cut_a_host_is_the_old_one_or_the_new_one(case: Case, bed: Bed) -> None:
    results.record(runner.run(case, bed))
