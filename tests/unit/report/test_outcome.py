"""The last lines of a run: how to reach the cluster, to be pasted."""

from __future__ import annotations

from tempo_infra.deploy.run import Outcome, Plan
from tempo_infra.errors import StepFailedError
from tempo_infra.inventory.cluster import Role
from tempo_infra.report.outcome import outcome_lines, reach_lines
from tests.unit.sizing.clusters import cluster, host, trio


def test_the_ui_is_reached_through_ssh_on_its_hosts_loopback() -> None:
    lines = [" ".join(line.split()) for line in reach_lines(trio())]
    assert "UI ssh -N -L 8080:127.0.0.1:8080 deploy@203.0.113.1" in lines
    assert "reach it: workers 10.0.0.11:7233, namespaces: billing" in lines


def test_all_frontends_are_named() -> None:
    addresses = ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
    hosts = [host(f"all-{address[-1]}", *Role, internal=address) for address in addresses]
    lines = list(reach_lines(cluster(*hosts)))
    assert [sum(f"{address}:7233" in line for line in lines) for address in addresses] == [1, 1, 1]
    assert max(map(len, lines)) <= 80


def test_quiet_says_nothing_of_what_went_well_and_all_of_what_did_not() -> None:
    plan = Plan((), {}, {})
    assert (
        list(
            outcome_lines(
                Outcome("r1", plan, {}, ("db-1",), ()), trio(), 3.0, "tempo-infra provision", quiet=True
            )
        )
        == []
    )
    failed = Outcome("r1", plan, {"db-1": StepFailedError("no room", remedy="make room")}, (), ("front-1",))
    said = list(outcome_lines(failed, trio(), 3.0, "tempo-infra provision", quiet=True))
    assert said == list(outcome_lines(failed, trio(), 3.0, "tempo-infra provision"))
    assert "db-1: no room" in said
