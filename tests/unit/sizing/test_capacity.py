"""Capacity: monotone, each figure from named coefficients, and both directions agree."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster, Measured, Role
from tempo_infra.sizing import size
from tempo_infra.sizing.capacity import Limit, Load, carried, needed, which_store
from tempo_infra.sizing.coefficients import DEFAULTS, Coefficients, measured
from tests.unit.sizing.clusters import ALL, cluster, host, solo, trio

C = Coefficients()
TRIO = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
LOADS = st.builds(
    Load,
    activities=st.integers(0, 20),
    payload_bytes=st.integers(0, 10**6),
    retention_h=st.integers(1, 2000),
    peak_factor=st.floats(1, 10),
)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["capacity", *words])


def figures(goal: float, load: Load, fsync_ms: float = 1.0) -> dict[str, float]:
    return {one.name: one.value for one in needed(goal, load, C, fsync_ms)}


def limits(one: Cluster, load: Load | None = None) -> dict[str, Limit]:
    return {limit.resource: limit for limit in carried(one, size(one), load or Load(), C)}


def test_the_subscription_workflow_costs_what_was_measured() -> None:
    found = figures(1, Load(activities=2, peak_factor=1))
    assert found["state transitions"] == 11
    assert found["persistence requests"] == 25
    assert figures(1, Load(activities=1, peak_factor=1))["state transitions"] == 6


def test_two_shared_cores_carry_about_what_they_carried() -> None:
    """Measured with these settings and all on two cores: 57 to 66 workflows/s at full load."""
    one = cluster(host("h", *ALL, memory_gib=8, vcpu=2))
    at_full_load = limits(one)["CPU of h"].workflows_per_s / C["cpu_share"]
    assert 50 < at_full_load < 70


@given(load=LOADS, goal=st.floats(0.01, 5000), more=st.floats(1, 10), fsync_ms=st.floats(0.05, 20))
def test_a_larger_goal_never_needs_less(load: Load, goal: float, more: float, fsync_ms: float) -> None:
    small, large = figures(goal, load, fsync_ms), figures(goal * more, load, fsync_ms)
    for name, value in small.items():
        if name == "fsync that suffices":
            assert large[name] <= value * 1.000001
        else:
            assert large[name] >= value * 0.999999
    shards = int(small["shards"])
    assert 64 <= shards <= 16384
    assert shards & (shards - 1) == 0


@given(load=LOADS, gib=st.integers(4, 64), vcpu=st.integers(1, 32), fsync_ms=st.floats(0.05, 20))
def test_more_hosts_or_a_larger_one_never_carry_less(
    load: Load, gib: int, vcpu: int, fsync_ms: float
) -> None:
    def tightest(one: Cluster) -> float:
        return carried(one, size(one), load, C)[0].workflows_per_s

    fact = Measured("2026-11-20", fsync_ms)
    base = replace(host("h", *ALL, memory_gib=gib, vcpu=vcpu), measured=fact)
    one = cluster(base)
    faster = cluster(replace(base, resources=replace(base.resources, vcpu=vcpu + 1)))
    second = cluster(base, host("x", Role.HISTORY, Role.FRONTEND, vcpu=vcpu, internal="10.0.0.9"))
    least = tightest(one) * 0.999999
    assert tightest(faster) >= least
    assert tightest(second) >= least


@given(load=LOADS, goal=st.floats(0.1, 200))
def test_what_a_goal_needs_carries_it(load: Load, goal: float) -> None:
    """A host of the CPU and disk that the goal needs is not limited by them."""
    found = figures(goal, load)
    vcpu = int(found["database CPU"] + found["Temporal CPU"]) + 1
    one = cluster(
        host("h", *ALL, memory_gib=64, vcpu=vcpu, disk_gib=int(found["disk"] * 1.7) + 60),
        shards=int(found["shards"]),
    )
    have = limits(one, load)
    peak = goal * load.peak_factor * 0.999
    assert have["CPU of h"].workflows_per_s >= peak
    assert have["disk of h"].workflows_per_s >= peak
    assert have["shards"].workflows_per_s >= peak


def test_the_frontends_own_limit_counts_and_is_not_the_first_to_end() -> None:
    """12.7 calls a workflow of two activities; the server's default would end at 189 workflows/s."""
    found = limits(trio())
    assert found["frontend.rps"].workflows_per_s == pytest.approx(4800 / 12.7)
    assert found["frontend.rps"].workflows_per_s > found["CPU of front-1"].workflows_per_s


def test_group_commit_counts() -> None:
    """1/latency is no bound: 68 workflows/s of 44 transactions were measured at 5 ms a flush."""
    one = replace(solo().hosts[0], measured=Measured("2026-11-20", 5.0))
    assert limits(cluster(one))["flushes of solo-1"].workflows_per_s > 68
    assert "measured 2026-11-20" in limits(cluster(one))["flushes of solo-1"].how
    assert "not measured" in limits(solo())["flushes of solo-1"].how


@pytest.mark.parametrize(
    ("goal", "words", "figures"), [(100, "PostgreSQL: ", 0), (2000, "not PostgreSQL: ", 2)]
)
def test_it_says_when_postgresql_is_no_longer_the_store(goal: float, words: str, figures: int) -> None:
    said, paper = which_store(goal, Load(), C)
    assert said.startswith(words)
    assert "the article says 5,000" in said
    assert len(paper) == figures


def test_an_own_measurement_replaces_coefficients(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"date": "2026-11-20", "database_ms_per_transition": 2.6}))
    own = measured(file)
    assert own["database_ms_per_transition"] == 2.6
    assert own.entries["database_ms_per_transition"].source == "bench.json, 2026-11-20"
    assert own["server_ms_per_transition"] == 1.6
    done = run("-i", str(TRIO), "--measured", str(file), "--format", "json")
    body = json.loads(done.output)
    assert body["coefficients"]["database_ms_per_transition"]["source"] == "bench.json, 2026-11-20"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nonsense", "can't be read as JSON"),
        ("[" * 100_000, "can't be read as JSON"),
        ("[]", "is no measurement"),
        ("{}", "is no measurement"),
        ('{"date": "2026-11-20", "speed": 1}', "unknown coefficient 'speed'"),
        ('{"date": "2026-11-20", "growth": 0}', "growth must be a number above 0"),
        ('{"date": "2026-11-20", "growth": true}', "growth must be a number above 0"),
    ],
)
def test_a_wrong_measurement_is_refused(text: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(InputError, match=what):
        measured(file)


def test_both_directions_on_the_command_line() -> None:
    done = run("--workflows-per-second", "10", "-i", str(TRIO))
    assert done.exit_code == 0
    assert "10 workflows/s of 2 activities, 20/s at the peak" in done.output
    said = " ".join(done.output.split())
    assert "runs out first: disk of db-1" in said
    assert "The goal's peak of 20/s fits." in said
    explained = run("--workflows-per-second", "10", "-i", str(TRIO), "--explain").output
    assert all(one.name in explained for one in DEFAULTS)
    assert max(map(len, done.output.splitlines())) <= 80
    over = run("--workflows-per-second", "100", "-i", str(TRIO))
    assert "The goal's peak of 200/s does not fit: disk of db-1" in " ".join(over.output.split())


def test_nothing_asked_is_a_usage_error() -> None:
    assert isinstance(run().exception, InputError)
    assert isinstance(run("--workflows-per-second", "1", "--payload", "1").exception, InputError)


def test_separate_hosts_are_judged_by_their_own_roles() -> None:
    names = set(limits(trio(), Load()))
    assert {"CPU of front-1", "CPU of history-1", "CPU of db-1", "shards", "history's pools"} <= names


NEEDS = "take 2.51 vCPU for Temporal, 2.04 vCPU and 469 GiB of disk for the database, and 128 shards."
PAPER = "take 251 vCPU for Temporal, more than PostgreSQL carries (on paper, 45 of 8 vCPU for Cassandra), and"
CARRIES = f"{TRIO} carries 30.4 workflows/s (60.8/s at the peak); runs out first: disk of db-1."
GOAL, HAVE = "--workflows-per-second={}".format, f"--inventory={TRIO}"


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ([GOAL(50)], [f"50 workflows/s (100/s at the peak) {NEEDS}"]),
        ([GOAL(5000)], [f"5000 workflows/s (10000/s at the peak) {PAPER} 16,384 shards."]),
        ([HAVE], [CARRIES]),
        ([HAVE, GOAL(50)], [NEEDS, CARRIES, "The goal's peak of 100/s does not fit: disk of db-1."]),
        ([HAVE, GOAL(20)], [CARRIES, "The goal's peak of 40/s fits."]),
    ],
)
def test_the_answer_stands_first_and_what_it_is_made_of_last_where_it_is_wanted(
    words: list[str], first: list[str]
) -> None:
    said = run(*words).output
    answer = said.partition("\n\n")[0]
    assert " ".join(answer.split()).endswith(" ".join(first))
    assert "transitions_base" not in said
    explained = run(*words, "--explain").output
    assert explained.startswith(f"{answer}\n\n")
    assert "transitions_base" in explained.rpartition("\n\n")[2]
