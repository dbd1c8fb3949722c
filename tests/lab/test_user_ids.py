"""Whom containers run as on a host: nobody else at first, and for ever those whom the data belongs to.

On a host of its own: TEMPO_LAB_INVENTORY names an inventory of one host with all roles.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.on_host.users import OF_IMAGES, OWN
from tests.lab.conftest import Inventory, containers

pytestmark = [pytest.mark.lab, pytest.mark.faults]

FOLDER = "/srv/tempo/postgres"  # where a disk of its own would be mounted
DATA = f"{FOLDER}/data"


@pytest.fixture
def alone(lab: Lab, inventory: Inventory) -> Iterator[Host]:
    """The only host of the inventory, with nothing of ours on it, before and after."""
    hosts = load(inventory.path).hosts
    if len(hosts) != 1:
        pytest.skip("an inventory of one host: TEMPO_LAB_INVENTORY")
    host = lab.host(hosts[0].name)
    wiped(host, inventory)
    yield host
    wiped(host, inventory)


def wiped(host: Host, inventory: Inventory) -> None:
    name = load(inventory.path).name
    inventory.run("remove", "--confirm-remove", name)
    host.exec(["userdel", "-f", "planted"])
    host.exec(["sh", "-c", f"rm -rf {FOLDER} /var/lib/tempo-infra"])


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
