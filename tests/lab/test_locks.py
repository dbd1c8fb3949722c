"""Two operators never meet: all hosts of a run are locked, or none, and nothing is done anywhere."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from shlex import quote

import pytest

from lab.hosts import Host, Lab
from tests.lab import invariants
from tests.lab.conftest import BRISK, Inventory, Variants, starts

pytestmark = pytest.mark.faults
LOCK = "/var/lib/tempo-infra/lock"
OTHER = {"run": "0ddba11f", "who": "ola@desk", "since": "2026-11-20 10:00:00 UTC"}
MORE_HOURS = (r"billing, retention: 72h", "billing, retention: 96h")


@contextmanager
def held(host: Host) -> Iterator[None]:
    """Somebody else is at work: the lock with its record, until the end of this."""
    record = quote(json.dumps(OTHER))
    script = f"exec 9<>{LOCK}; flock -w 60 9 && printf %s {record} > {LOCK} && echo held; cat"
    words, pipe = ["docker", "exec", "-i", host.container, "sh", "-c", script], subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        try:
            assert holder.stdout.readline() == "held\n"
            yield
        finally:
            holder.stdin.close()
            holder.wait(20)


def less_memory(host: Host) -> tuple[str, str]:
    return rf"(internal: {re.escape(host.internal_address)}\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB"


def journals(lab: Lab) -> dict[str, int]:
    return {host.name: len(invariants.journal(invariants.look(host.container))) for host in lab.hosts}


def free(host: Host) -> bool:
    """Whether nobody holds it; what ran on the host ends soon after its operator has gone."""
    return host.exec(["flock", "-w", "5", LOCK, "true"]).returncode == 0


def test_a_host_that_somebody_works_on_keeps_all_others_as_they_are_until_the_wait_is_over(
    brisk: Inventory, lab: Lab, variant: Variants
) -> None:
    before, written = starts(lab), journals(lab)
    *others, last = sorted(lab.hosts, key=lambda one: one.name)
    changed = variant(BRISK, less_memory(last), MORE_HOURS)
    with ThreadPoolExecutor(1) as operators:
        with held(last):
            ran = changed.run("provision")
            assert ran.code == 1, ran.said
            whose = "another run is at work on this host: ola@desk, run 0ddba11f, since 2026-11-20"
            assert f"{last.name}: lock: {whose}" in ran.said
            assert "nothing was changed on any host" in ran.said
            assert (starts(lab), journals(lab)) == (before, written)
            assert all(map(free, others))
            waiting = operators.submit(changed.run, "provision", "--lock-wait", "300")
            while any(map(free, others)):  # by their names: it has those before the one that it waits for
                assert not waiting.done(), waiting.result().said
                time.sleep(0.2)
            assert (starts(lab), journals(lab)) == (before, written)
        waited = waiting.result()
    assert waited.code == 0, waited.said
    assert starts(lab) != before
    brisk.provision()
