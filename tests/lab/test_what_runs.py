"""What runs is what should: said by status, diff and plan, mended by provision; plan names what restarts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from lab.hosts import Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.topology import store
from tests.lab.conftest import BRISK, Inventory, Ran, Variants, containers, starts

OLD_S = 160  # from then on a service that does not serve is no longer one that is starting
STATE = "/var/lib/tempo-infra"
EDITED = f"{STATE}/edited.yml"
SECRET = f"{STATE}/secrets/temporal/db_password"
Place = tuple[str, str]  # host, service


@pytest.fixture
def place(brisk: Inventory) -> Place:
    """Where a matching service runs: the cluster lives on without it for a while."""
    host = next(one for one in load(brisk.path).hosts if "matching" in map(str, one.roles))
    return host.name, "matching"


def on(lab: Lab, place: Place, script: str) -> None:
    """Run a script on the host of a service; $ID is its container."""
    host, service = place
    id_ = containers(lab, host)[service]["Id"]
    lab.host(host).must(["sh", "-ec", f"ID={id_}\n{script}"])


def planned(ran: Ran) -> set[Place]:
    """Services that a plan says are started or recreated."""
    return {
        (host["host"], name)
        for host in json.loads(ran.out)["hosts"]
        for name in (*(one["service"] for one in host["restarts"]), *host["starts"])
    }


def moved(before: dict[Place, str], after: dict[Place, str]) -> set[Place]:
    return {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}


def older_than(lab: Lab, place: Place, seconds: float) -> None:
    script = "date -d $(docker inspect -f '{{.State.StartedAt}}' $ID) +%s"
    host, service = place
    id_ = containers(lab, host)[service]["Id"]
    since = int(lab.host(host).must(["sh", "-ec", f"ID={id_}\n{script}"]))
    time.sleep(max(0.0, since + seconds - time.time()))


OTHERWISE = f"""
sed 's/GOGC: .*/GOGC: "55"/' {STATE}/current/docker-compose.yml >{EDITED}
docker compose -f {EDITED} up -d --no-deps matching
rm {EDITED}
"""
FREEZE = "kill -STOP $(pgrep temporal-server -P $(docker inspect -f '{{.State.Pid}}' $ID))"
FAULTS = {
    "stopped": ("docker stop $ID", "ended with exit code"),
    "gone": ("docker rm -f $ID", "container"),
    "paused": ("docker pause $ID", "paused"),
    "frozen": (FREEZE, "does not serve"),
    "other configuration": (OTHERWISE, "another configuration"),
    "crash loop": (f"chmod 0 {SECRET}; docker restart $ID; sleep 8", "exit code"),
}


@pytest.mark.faults
@pytest.mark.parametrize("fault", FAULTS)
def test_a_service_that_is_not_as_it_should_be_is_said_and_mended(
    brisk: Inventory, lab: Lab, place: Place, fault: str
) -> None:
    script, says = FAULTS[fault]
    if fault == "frozen":
        older_than(lab, place, OLD_S)
    on(lab, place, script)
    if fault != "other configuration":  # it serves all the same
        status = brisk.run("status")
        assert status.code == 1, status.said
        [line] = [line for line in status.out.splitlines() if " matching " in line]
        assert "✗" in line
        assert says in line
    drift = brisk.run("diff")
    assert drift.code == 1, drift.said
    assert any("matching" in line and says in line for line in drift.out.splitlines()), drift.said
    plan = brisk.run("plan", "--format", "json", "--detailed-exitcode")
    assert plan.code == 4, plan.said
    assert place in planned(plan)
    before = starts(lab)
    brisk.provision()
    assert moved(before, starts(lab)) == planned(plan)
    assert brisk.run("status").code == 0
    assert brisk.run("diff").out == "no drift\n"


DRIFT = {
    "unreadable password": (f"chmod 0 {SECRET}", "mode 0000, should be 0400"),
    "password for all": (f"chmod 444 {SECRET}", "mode 0444, should be 0400"),
    "server.yaml": (f"chmod 600 {STATE}/services/matching-*/server.yaml", "mode 0600, should be 0644"),
    "sysctl.d": ("chmod 666 /etc/sysctl.d/60-tempo-infra.conf", "mode 0666, should be 0644"),
    "owner": (f"chown 0:0 {SECRET}", "owner 0:0, should be"),
    "folder": (f"chmod 777 {STATE}/services", "mode 0777, should be 0755"),
}


@pytest.mark.parametrize("fault", DRIFT)
def test_a_wrong_mode_is_put_right_and_what_could_not_read_it_serves(
    brisk: Inventory, lab: Lab, place: Place, fault: str
) -> None:
    script, says = DRIFT[fault]
    on(lab, place, script)
    before = starts(lab)
    for command in ("diff", "plan --no-diff"):
        assert says in " ".join(brisk.run(command).out.split()), command
    brisk.provision()
    assert starts(lab) == before
    assert brisk.run("diff").out == "no drift\n"


def settings(name: str, value: str) -> tuple[str, str]:
    return r"\Z", f"\noverrides: {{postgresql: {{{name}: {value}}}}}\n"


def dynamic(name: str, value: str) -> tuple[str, str]:
    return r"\Z", f"\noverrides: {{temporal: {{{name}: {value}}}}}\n"


CHANGES = {
    "nothing": (),
    "kernel": ((r"\Z", "\noverrides: {sysctl: {vm.swappiness: 3}}\n"),),
    "retention": ((r"billing, retention: 72h", "billing, retention: 96h"),),
    "database": (settings("max_connections", "180"),),
    "database reads": (settings("log_min_duration_statement", "123ms"),),
    "temporal": (dynamic("history.acquireShardInterval", "20s"),),
    "temporal reads": (dynamic("frontend.namespaceRPS", "777"),),
    "memory": ((r"(?m)^hosts:\n", "overrides: {memory: {worker: 400MiB}}\n\nhosts:\n"),),
}


@pytest.fixture
def back(brisk: Inventory) -> Iterator[Inventory]:
    yield brisk
    brisk.provision()


@pytest.mark.faults
@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_names_the_services_that_restart_and_no_others(
    back: Inventory, lab: Lab, variant: Variants, change: str
) -> None:
    del back
    other = variant(BRISK, *CHANGES[change], name="change")
    plan, before = other.run("plan", "--format", "json", "--no-diff"), starts(lab)
    assert plan.code == 0, plan.said
    other.provision()
    assert moved(before, starts(lab)) == planned(plan)


@pytest.mark.faults
def test_a_plan_names_no_restart_where_compose_sees_none(brisk: Inventory, lab: Lab) -> None:
    """The link to the generation is gone; then the hosts were left to themselves, and are taken over."""
    before = starts(lab)
    for host in lab.hosts:
        host.must(["rm", f"{STATE}/current"])
    plan = brisk.run("plan", "--format", "json", "--no-diff")
    assert planned(plan) == set()
    brisk.provision()
    assert starts(lab) == before
    ejected = brisk.run("eject", "--confirm-eject", load(brisk.path).name)
    assert ejected.code == 0, ejected.said
    before = starts(lab)
    plan = brisk.run("plan", "--format", "json", "--no-diff")
    assert planned(plan) == set()
    brisk.provision("--take-over")
    assert starts(lab) == before


SHOWN = ["docker", "exec", "tempo-infra-postgresql-1", "psql", "-XqAt", "-U", "postgres", "-c"]


def live(lab: Lab, host: str, name: str) -> str:
    query = f"select setting || ' ' || pending_restart from pg_settings where name = '{name}'"  # noqa: S608 - the test's own words
    return lab.host(host).must([*SHOWN, query]).strip()


def test_a_parameter_that_the_server_reads_anew_restarts_nothing_forward_and_back(
    back: Inventory, lab: Lab, variant: Variants
) -> None:
    """What is live is asked of the server itself."""
    host = store(load(back.path)).writer.name
    before, was = starts(lab), live(lab, host, "log_min_duration_statement")
    other = variant(BRISK, settings("log_min_duration_statement", "123ms"), name="reads")
    plan = other.run("plan", "--format", "json", "--no-diff")
    reloads = {one["host"]: [r["service"] for r in one["reloads"]] for one in json.loads(plan.out)["hosts"]}
    assert reloads[host] == ["postgresql"]
    other.provision()
    assert live(lab, host, "log_min_duration_statement") == "123 false"
    ran = other.run("rollback", "--host", host)
    assert ran.code == 0, ran.said
    assert live(lab, host, "log_min_duration_statement") == was
    assert starts(lab) == before


def test_a_value_that_temporal_reads_at_each_use_restarts_nothing_forward_and_back(
    back: Inventory, lab: Lab, variant: Variants
) -> None:
    """What each server has loaded is in its own log."""
    hosts = [host.name for host in load(back.path).with_role(Role.FRONTEND)]
    before, began = starts(lab), time.time()
    other = variant(BRISK, dynamic("frontend.namespaceRPS", "777"), name="reads")
    plan = other.run("plan", "--format", "json", "--no-diff")
    reloads = {one["host"]: [r["service"] for r in one["reloads"]] for one in json.loads(plan.out)["hosts"]}
    assert all("frontend" in reloads[host] for host in hosts)
    other.provision()
    assert [loaded(lab, host, began) for host in hosts] == ["777"] * len(hosts)
    for host in hosts:
        ran = other.run("rollback", "--host", host)
        assert ran.code == 0, ran.said
        assert loaded(lab, host, began) != "777"
    assert starts(lab) == before


def loaded(lab: Lab, host: str, since_s: float) -> str:
    """The last value of the key that the host's frontend says it has taken up."""
    log = lab.host(host).must(["docker", "logs", "--since", f"{since_s:.0f}", "tempo-infra-frontend-1"])
    found = re.findall(r"key: frontend\.namespacerps oldValue: .*? newValue: \{.*?value: (.*?) \}", log)
    return str(found[-1])
