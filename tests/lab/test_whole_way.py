"""The whole way on three hosts: fresh disks, a serving cluster, nothing to do the second time."""

from __future__ import annotations

import json
import re

from lab.hosts import Lab
from tests.lab.conftest import OVER_BOTH, OVER_BOTH_LONG, Inventory, Ran, Variants, containers, starts

EXPECTED = {
    "front-1": {"matching", "worker", "frontend", "ui"},
    "history-1": {"history"},
    "db-1": {"postgresql"},
}


def test_a_fresh_host_is_provisioned_in_the_order_that_was_promised(fresh: Ran, lab: Lab) -> None:
    events = [json.loads(line) for line in fresh.out.splitlines()]
    done = [(event["host"], event["step"]) for event in events if event["state"] == "done"]
    assert done.index(("db-1", "schema")) < done.index(("history-1", "switch"))
    assert done.index(("history-1", "serving")) < done.index(("front-1", "switch"))
    assert {host: set(containers(lab, host)) for host in EXPECTED} == EXPECTED


def test_the_last_lines_say_how_to_reach_the_cluster(fresh: Ran) -> None:
    assert "workers   10.99.0.11:7233, namespaces: billing" in fresh.err
    assert "ssh -N -L 8080:127.0.0.1:8080 deploy@127.0.1.11" in fresh.err


@OVER_BOTH
def test_a_second_run_changes_nothing_and_restarts_nothing(cluster: Inventory, lab: Lab) -> None:
    before = starts(lab)
    ran = cluster.provision()
    assert "0 changed, 3 unchanged" in ran.out
    assert starts(lab) == before
    assert len(before) == 6


@OVER_BOTH
def test_a_plan_with_nothing_to_do_is_one_line_a_host(cluster: Inventory) -> None:
    ran = cluster.run("plan", "--detailed-exitcode")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "nothing to do on 3 hosts"


@OVER_BOTH_LONG
def test_a_changed_value_restarts_exactly_the_services_whose_files_changed(
    cluster: Inventory, lab: Lab, variant: Variants
) -> None:
    """Less memory for history-1 changes its caches and limits; nothing else depends on it."""
    before = starts(lab)
    changed = variant((r"(internal: 10\.99\.0\.12\n(?:.*\n)*?.*memory: )4GiB", r"\g<1>3GiB"))
    planned = changed.run("plan", "--detailed-exitcode")
    assert planned.code == 4
    assert "restarts history" in planned.out
    changed.provision()
    after = starts(lab)
    assert {key for key in before if before[key] != after.get(key)} == {("history-1", "history")}
    cluster.provision()


def test_the_database_is_the_one_that_was_decided(cluster: Inventory, lab: Lab) -> None:
    sql = """select concat_ws(' ', current_setting('data_checksums'), current_setting('password_encryption'),
        (select datcollate from pg_database where datname = 'temporal'),
        (select rolsuper from pg_roles where rolname = 'temporal'),
        (select pg_get_userbyid(datdba) from pg_database where datname = 'temporal_visibility'))"""
    id_ = containers(lab, "db-1")["postgresql"]["Id"]
    answer = lab.host("db-1").must(["docker", "exec", id_, "psql", "-XAtU", "postgres", "-c", sql])
    assert answer.strip() == "on scram-sha-256 C.UTF-8 f temporal"


def test_live_settings_are_the_rendered_ones(cluster: Inventory, lab: Lab) -> None:
    """Every line of the rendered postgresql.conf is what the server runs with."""
    item = containers(lab, "db-1")["postgresql"]
    sql = (
        "select count(*) filter (where error is not null or not applied), count(*) from pg_file_settings"
        " where sourcefile like '/etc/tempo-infra/%'"
    )
    answer = lab.host("db-1").must(["docker", "exec", item["Id"], "psql", "-XAtU", "postgres", "-c", sql])
    wrong, total = (int(number) for number in answer.strip().split("|"))
    assert wrong == 0
    assert total > 20


def test_ports_are_published_on_the_internal_address_only(cluster: Inventory, lab: Lab) -> None:
    """But the UI's, which ssh forwards: on the loopback of its host."""
    for host in lab.hosts:
        for service, item in containers(lab, host.name).items():
            bound = {b["HostIp"] for binds in item["NetworkSettings"]["Ports"].values() for b in binds or []}
            assert bound == {"127.0.0.1" if service == "ui" else host.internal_address}, service


def test_no_process_of_ours_can_be_swapped_out_or_dumped(cluster: Inventory, lab: Lab) -> None:
    for host in lab.hosts:
        for service, item in containers(lab, host.name).items():
            assert item["HostConfig"]["MemorySwap"] == item["HostConfig"]["Memory"], service
            limits = lab.host(host.name).must(["cat", f"/proc/{item['State']['Pid']}/limits"])
            row = re.search(r"Max core file size\s+(\d+|unlimited)\s+(\d+|unlimited)", limits)
            assert row is not None
            assert (row[1], row[2]) == ("0", "0"), service


def test_containers_run_with_no_more_rights_than_they_need(cluster: Inventory, lab: Lab) -> None:
    for host in lab.hosts:
        for service, item in containers(lab, host.name).items():
            config = item["HostConfig"]
            assert config["ReadonlyRootfs"], service
            assert config["CapDrop"] == ["ALL"], service
            assert "no-new-privileges:true" in config["SecurityOpt"], service
            assert not item["Config"]["User"].startswith("0"), service
            assert config["Memory"] > 0, service
            assert config["PidsLimit"] > 0, service


def test_the_limits_of_running_processes_are_the_inventorys(cluster: Inventory, lab: Lab) -> None:
    for host in lab.hosts:
        for service, item in containers(lab, host.name).items():
            limits = lab.host(host.name).must(["cat", f"/proc/{item['State']['Pid']}/limits"])
            row = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits)
            assert row is not None
            assert int(row[2]) == lab.nofile, service
