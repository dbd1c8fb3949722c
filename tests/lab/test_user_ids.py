"""Whom containers run as on a host: nobody else at first, and for ever those whom the data belongs to.

On a host of its own with all roles, named by TEMPO_LAB_ALONE (extra-2 if it is not set).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.hosts import Host, Lab
from tempo_infra.on_host.users import OF_IMAGES, OWN
from tests.lab.conftest import Inventory, claim, containers, running_lab
from tests.lab.test_hosts_come_and_go import ENTRY, TEMPORAL

pytestmark = pytest.mark.faults

FOLDER = "/srv/tempo/postgres"  # where a disk of its own would be mounted
DATA = f"{FOLDER}/data"


NAME = os.environ.get("TEMPO_LAB_ALONE", "extra-2")
FILES = ("inventory-alone.yaml", "secrets-alone.age")


@pytest.fixture(scope="module")
def lab() -> Lab:
    lab = running_lab("make lab-more")
    claim(lab.root, [NAME])
    return lab


@pytest.fixture
def alone(lab: Lab) -> Iterator[Host]:
    """A host with an empty disk, before and after."""
    lab.reset([NAME])
    yield lab.host(NAME)
    lab.reset([NAME])
    for name in FILES:
        (lab.root / name).unlink(missing_ok=True)


@pytest.fixture
def inventory(lab: Lab, alone: Host) -> Inventory:
    base = (lab.root / "inventory.yaml").read_text().partition("\nhosts:")[0]
    base = base.replace("cluster: lab", "cluster: alone")
    host = ENTRY.format(name=NAME, host=alone, roles=f"postgresql, {TEMPORAL}, ui")
    path = lab.root / FILES[0]
    path.write_text(f"{base}\nsecrets: {{file: {FILES[1]}}}\n\nhosts:\n{host}")
    return Inventory(path)


def users(lab: Lab, host: Host) -> dict[str, str]:
    return {name: str(one["Config"]["User"]) for name, one in containers(lab, host.name).items()}


def owner(host: Host, path: str) -> int:
    return int(host.must(["stat", "-c", "%u", path]))


def started(lab: Lab, host: Host) -> dict[str, str]:
    return {name: str(one["State"]["StartedAt"]) for name, one in containers(lab, host.name).items()}


def test_somebody_who_has_an_id_stops_the_first_provision(alone: Host, inventory: Inventory) -> None:
    alone.must(["useradd", "-u", str(OWN.temporal), "-M", "planted"])
    says = f"user id {OWN.temporal} is planted on this host: planted can read the database password"
    refused = inventory.run("provision")
    assert refused.code == 1
    assert says in refused.said
    assert alone.exec(["ls", "/var/lib/tempo-infra/secrets"]).returncode != 0
    check = inventory.run("check-host", "--quick")
    assert says in " ".join(check.out.split())


def test_data_keeps_its_owner_and_the_owner_decides(alone: Host, inventory: Inventory, lab: Lab) -> None:
    inventory.provision()
    assert owner(alone, DATA) == OWN.postgresql
    assert users(lab, alone)["postgresql"] == f"{OWN.postgresql}:{OWN.postgresql}"
    assert users(lab, alone)["history"] == f"{OWN.temporal}:{OWN.temporal}"
    assert owner(alone, "/var/lib/tempo-infra/secrets/temporal") == OWN.temporal
    ran = {tuple(line.split()) for line in alone.must(["ps", "axno", "uid,comm"]).splitlines()}
    assert (str(OWN.temporal), "temporal-server") in ran
    assert (str(OF_IMAGES.temporal), "temporal-server") not in ran
    before = started(lab, alone)
    assert "unchanged" in inventory.provision().said
    assert started(lab, alone) == before
    # As a host from before: the same data, of the images' user.
    alone.must(["docker", "stop", str(containers(lab, alone.name)["postgresql"]["Id"])])
    alone.must(["chown", "-R", f"{OF_IMAGES.postgresql}:{OF_IMAGES.postgresql}", DATA])
    inventory.provision()
    assert users(lab, alone)["postgresql"] == f"{OF_IMAGES.postgresql}:{OF_IMAGES.postgresql}"
    assert users(lab, alone)["history"] == f"{OWN.temporal}:{OWN.temporal}"
    assert owner(alone, DATA) == OF_IMAGES.postgresql
    # The generation before can't read it any more: that is said before anything stops.
    before = started(lab, alone)
    refused = inventory.run("rollback", "--yes")
    assert refused.code == 1
    whose = f"belongs to user {OF_IMAGES.postgresql}, its container would run as {OWN.postgresql}"
    assert f"the data of {DATA} {whose}" in " ".join(refused.said.split())
    assert started(lab, alone) == before
