"""Two operators never meet: all hosts of a run are locked, or none, and nothing is done anywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.hosts import Host, Lab
from tests.lab import invariants
from tests.lab.conftest import BRISK, Inventory, Variants, starts

pytestmark = pytest.mark.faults
LOCK = "/var/lib/tempo-infra/lock"
OTHER = {"run": "0ddba11f", "who": "ola@desk", "since": "2026-11-20 10:00:00 UTC"}
LESS_MEMORY = (r"(internal: 10\.99\.0\.12\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB")
MORE_HOURS = (r"billing, retention: 72h", "billing, retention: 96h")


@contextmanager
def held(host: Host, seconds: int) -> Iterator[None]:
    """Somebody else is at work: the lock with its record, for some seconds."""
    script = f"exec 9<>{LOCK}; flock 9; cat > {LOCK}; touch {LOCK}.held; sleep {seconds}; rm {LOCK}.held"
    host.must(["rm", "-f", f"{LOCK}.held"])
    thread = threading.Thread(
        target=lambda: host.exec(["sh", "-c", script], input=json.dumps(OTHER), timeout=90)
    )
    thread.start()
    host.must(["sh", "-c", f"until [ -e {LOCK}.held ]; do sleep 0.1; done"])
    try:
        yield
    finally:
        thread.join()


def journals(lab: Lab) -> dict[str, int]:
    return {host.name: len(invariants.journal(invariants.look(host.container))) for host in lab.hosts}


def free(host: Host) -> bool:
    """Whether nobody holds it; what ran on the host ends soon after its operator has gone."""
    return host.exec(["flock", "-w", "5", LOCK, "true"]).returncode == 0


def test_a_host_that_somebody_works_on_keeps_all_others_as_they_are_until_the_wait_is_over(
    brisk: Inventory, lab: Lab, variant: Variants
) -> None:
    before, written = starts(lab), journals(lab)
    changed = variant(BRISK, LESS_MEMORY, MORE_HOURS)
    with held(lab.host("history-1"), 25):
        ran = changed.run("provision")
        assert ran.code == 1, ran.said
        assert (
            "history-1: lock: another run is at work on this host: ola@desk, run 0ddba11f, since 2026-11-20"
            in ran.said
        )
        assert "nothing was changed on any host" in ran.said
        assert (starts(lab), journals(lab)) == (before, written)
        assert free(lab.host("front-1"))
        assert free(lab.host("db-1"))
        lab.host("history-1").must(["test", "-e", f"{LOCK}.held"])
        waited = changed.run("provision", "--lock-wait", "120")
    assert waited.code == 0, waited.said
    assert starts(lab) != before
    brisk.provision()
