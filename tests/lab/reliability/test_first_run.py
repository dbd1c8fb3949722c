"""A host that someone made by hand: the first run that fails leaves it as it was."""

from __future__ import annotations

import pytest

from tests.lab.reliability import broken
from tests.lab.reliability.bed import Change
from tests.lab.reliability.conftest import BEDS, Beds

pytestmark = pytest.mark.faults
SYSCTL = "/etc/sysctl.d/60-tempo-infra.conf"


@pytest.mark.parametrize("host", [BEDS[0]])
def test_a_first_run_that_fails_leads_back_to_what_was_there(host: str, beds: Beds) -> None:
    """Its files with mode and owner, live kernel values, no container of ours; then a run works as ever."""
    bed = beds.get(host, "light")
    beds.doubtful.add(host)
    bed.host.reset()
    bed.host.must(
        ["sh", "-c", f"echo vm.swappiness = 42 > {SYSCTL} && chmod 640 {SYSCTL} && sysctl -p {SYSCTL}"]
    )
    ran = bed.run("provision", bed.inventory(Change.new(templates=broken.ends_at_once()), soak="8s"))
    assert ran.code == 1, ran.said
    assert f"{SYSCTL} was changed on the host" in ran.said
    failing = bed.inventory(Change.new(templates=broken.ends_at_once()), soak="8s")
    ran = bed.run("provision", failing, "--take-over")
    assert ran.code == 1, ran.said
    assert "generation 0" in ran.said, ran.said
    seen = bed.look()
    assert (seen["current"], seen["containers"], seen["guard"]) == (None, {}, [])
    assert bed.host.must(["cat", SYSCTL]) == "vm.swappiness = 42\n"
    assert bed.host.must(["stat", "-c", "%a", SYSCTL]).strip() == "640"
    assert bed.host.must(["sysctl", "-n", "vm.swappiness"]).strip() == "42"
    bed.provision(Change.new(), "--take-over")
