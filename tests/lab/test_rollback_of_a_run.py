"""A run is taken back on all hosts that it changed; states that never were, and would harm, can't be made.

Two hosts of their own, named by TEMPO_LAB_PAIR (extra-6,extra-7 if it is not set); the first has the
database. `python3 -m lab up --hosts 10` starts them. About eight minutes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.hosts import Host, Lab
from tempo_infra.on_host import ring
from tests.lab.conftest import Inventory, Ran, claim, running_lab
from tests.lab.shapes.workload import Workload
from tests.lab.test_generations import current
from tests.lab.test_hosts_come_and_go import ACCEPTED_S, ENTRY, TEMPORAL, runs

pytestmark = pytest.mark.faults

NAMES = os.environ.get("TEMPO_LAB_PAIR", "extra-6,extra-7").split(",")
FIRST, SECOND = NAMES
ROLES = {FIRST: f"postgresql, {TEMPORAL}, ui", SECOND: TEMPORAL}
BOTH = "overrides: {sysctl: {vm.swappiness: 3}}\n"  # changes each host
ONE = "overrides: {sysctl: {vm.swappiness: 3}, postgresql: {log_min_duration_statement: 123ms}}\n"
QUICK = "\nrollout: {decide_after: 20s, soak: 1s}\n\nsecrets: {file: secrets-pair-of-runs.age}\n"


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    lab = running_lab("python3 -m lab up --hosts 10")
    claim(lab.root, NAMES)
    lab.reset(NAMES)
    secrets = lab.root / "secrets-pair-of-runs.age"
    secrets.unlink(missing_ok=True)
    yield lab
    for path in (*lab.root.glob("inventory-pair-of-runs-*.yaml"), secrets):
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Cluster:
    lab: Lab

    def of(self, *names: str, more: str = "") -> Inventory:
        """The file with these hosts."""
        base = (self.lab.root / "inventory.yaml").read_text().partition("\nhosts:")[0]
        hosts = (ENTRY.format(name=one, host=self.host(one), roles=ROLES[one]) for one in names)
        text = f"{base.replace('cluster: lab', 'cluster: pair')}{QUICK}\n{more}\nhosts:\n{''.join(hosts)}"
        path = self.lab.root / f"inventory-pair-of-runs-{abs(hash(text))}.yaml"
        path.write_text(text)
        return Inventory(path)

    def host(self, name: str) -> Host:
        return self.lab.host(name)

    @property
    def generations(self) -> dict[str, str]:
        return {name: current(self.host(name)) for name in NAMES}


@pytest.fixture
def cluster(pair: Lab) -> Cluster:
    """Both hosts provisioned, and nothing else asked of them."""
    cluster = Cluster(pair)
    cluster.of(*NAMES).provision()
    return cluster


def last_run(inventory: Inventory, host: str = FIRST) -> str:
    ran = inventory.run("history", "--format", "json")
    return str(json.loads(ran.out)["hosts"][host][-1]["run"])


def is_as(inventory: Inventory) -> None:
    """The hosts are what this inventory says."""
    ran = inventory.run("plan --no-diff --detailed-exitcode")
    assert ran.code == 0, ran.said


def went(ran: Ran) -> Ran:
    assert ran.code == 0, ran.said
    return ran


def test_the_last_run_is_taken_back_where_it_changed_something_and_the_run_before_stays(
    cluster: Cluster,
) -> None:
    """Until there was nothing but generations, the second host lost the first run with it."""
    before, first, second = cluster.of(*NAMES), cluster.of(*NAMES, more=BOTH), cluster.of(*NAMES, more=ONE)
    first.provision()
    run, between = last_run(first), cluster.generations
    assert "1 changed, 1 unchanged" in second.provision().out
    top = last_run(second)

    refused = second.run("rollback", run)
    assert refused.code == 1
    assert f"{FIRST}: was changed again after run {run}, by {top}" in refused.said
    assert f"tempo-infra rollback -i {second.path} {top}" in refused.said

    shown = went(second.run("rollback --dry-run"))
    assert f"takes back run {top} of " in shown.out
    assert "+log_min_duration_statement = 1s" in shown.out
    assert f"{SECOND:<12}was not changed by run {top}" in shown.out
    assert cluster.generations[FIRST] != between[FIRST]

    ran = went(second.run("rollback"))
    assert f"{FIRST:<12}back on {between[FIRST][:12]}" in ran.out
    assert cluster.generations == between
    is_as(first)
    assert "already" in went(second.run("rollback", top)).out
    assert cluster.generations == between

    went(second.run("rollback", run))
    is_as(before)


def test_a_host_that_a_run_brought_leaves_with_it_and_the_rest_has_all_shards(cluster: Cluster) -> None:
    smaller, both = cluster.of(FIRST), cluster.of(*NAMES)
    smaller.provision("--gone", SECOND)
    alone = current(cluster.host(FIRST))
    both.provision()
    run = last_run(both)

    refused = both.run("rollback", "--host", FIRST)
    assert refused.code == 1
    assert f"was made before {SECOND} ({cluster.host(SECOND).internal_address}) was a member" in refused.said
    assert "would shut it out" in refused.said
    named = both.run("rollback", "--to", alone[:16])
    assert named.code == 1, named.said
    assert "would shut it out" in named.said

    ran = went(both.run("rollback", run))
    assert f"{SECOND:<12}back on what was there before the first provision" in ran.out
    assert current(cluster.host(FIRST)) == alone
    assert runs(cluster.host(SECOND)) == set()
    is_as(smaller)
    went(smaller.run("check-host --quick --only temporal.members"))
    address = cluster.host(FIRST).internal_address
    assert {one.partition(" ")[2].rpartition(":")[0] for one in ring.read(address, 7233)} == {address}
    afterwards = Workload([address], longest_s=ACCEPTED_S)
    with afterwards.all_along():
        time.sleep(20)  # some dozens of ids: on most of 64 shards
    assert (afterwards.refused, afterwards.lost) == ([], [])
    assert len(afterwards.accepted) > 10


def test_the_first_run_of_all_is_not_taken_back_without_the_clusters_name(pair: Lab) -> None:
    pair.reset(NAMES)
    (pair.root / "secrets-pair-of-runs.age").unlink(missing_ok=True)
    both = Cluster(pair).of(*NAMES)
    both.provision()
    before = Cluster(pair).generations
    refused = both.run("rollback")
    assert refused.code == 1
    assert f"rollback -i {both.path} --to 0" in refused.said
    assert Cluster(pair).generations == before
