"""--watch, --compare and --symptom from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from tempo_infra.checks import Finding, Outcome
from tempo_infra.cli.check_measuring import (
    Remaining,
    expected_s,
    facts_options,
    others,
    peers,
    tailored,
)
from tempo_infra.cli.check_watching import Watch, period_s, print_changes
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.on_host.facts import FactsOptions
from tempo_infra.on_host.probes.reading import Reading
from tempo_infra.report.result import CheckRun, HostResult
from tempo_infra.topology import store
from tests.unit.checks.hosts import having, healthy
from tests.unit.cli.test_check_host import kept, tempo_infra

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("5m", 300), ("1h", 3600)])
def test_a_period_is_read(text: str, seconds: float) -> None:
    assert period_s(text) == seconds


@pytest.mark.parametrize("text", ["5", "m", "9s", "0m", "-5m", "5 m", "1d"])
def test_a_period_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--watch"):
        period_s(text)


def one(outcome: Outcome) -> CheckRun:
    return CheckRun((HostResult("h", "", findings=(Finding(outcome=outcome, found="x", id="a.b"),)),), 0)


def test_a_watch_shows_the_whole_first_and_then_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    runs = iter([one(Outcome.PASS), one(Outcome.PASS), one(Outcome.FAIL)])
    shown: list[CheckRun] = []
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    def again(run: CheckRun) -> None:
        shown.append(run)
        print_changes(run)

    last = Watch(lambda: next(runs), shown.append, again, sleep).until_stopped(300)
    assert pauses == [300, 300, 300]
    assert last is shown[-1]
    out, err = capsys.readouterr()
    assert "no change" in out.splitlines()[0]
    assert out.splitlines()[1].endswith("h a.b: pass → fail   x")
    assert "stopped after 3 rounds" in err


def test_ctrl_c_ends_a_watch_cleanly_with_the_last_exit_code(tmp_path: Path) -> None:
    words = [
        "check-host",
        "--local",
        "--only",
        "kernel.overcommit",
        "--quick",
        "--watch",
        "1h",
        "--format",
        "json",
    ]
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # nohup ignores it
    )
    code += "from tempo_infra.cli.main import run; sys.exit(run())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        text += process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == json.loads(text)["exit_code"]
    assert "stopped after 1 round" in err
    assert "Traceback" not in err


def test_a_report_is_compared_with_an_old_one(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    first = tempo_infra("check-host", "--facts", kept(tmp_path, a=healthy()), "--output", str(old), "-q")
    assert first.returncode == 0
    facts = kept(tmp_path, a=having(healthy(), "kernel.somaxconn", Reading(128)))
    done = tempo_infra("check-host", "--facts", facts, "--compare", str(old))
    assert "a kernel.somaxconn: pass → fail   128" in done.stdout
    again = tempo_infra("check-host", "--facts", kept(tmp_path, a=healthy()), "--compare", str(old))
    assert "no changes" in again.stdout


def test_a_symptom_chooses_its_checks_and_ends_in_causes(tmp_path: Path) -> None:
    facts = kept(tmp_path, a=healthy())
    symptom = ("--symptom", "context-deadline-exceeded")
    done = tempo_infra("check-host", "--facts", facts, *symptom, "--format", "json")
    report = json.loads(done.stdout)
    schema = json.loads((ROOT / "docs/reference/check-report.schema.json").read_text())
    jsonschema.validate(report, schema)
    assert {"kernel.swappiness"} & {one["id"] for one in report["hosts"][0]["findings"]} == set()
    assert {one["standing"] for one in report["diagnosis"]["causes"]} == {"ruled out", "not measurable"}
    text = tempo_infra("check-host", "--facts", facts, *symptom).stdout
    assert "ruled out: the hypervisor takes CPU time away" in text
    assert "not measurable: all slots of the workers are taken" in text


def test_options_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    for words in (
        ("--facts", kept(tmp_path, a=healthy()), "--watch", "5m"),
        ("--quick", "--thorough", "--local"),
        ("--local", "--symptom", "slow"),
    ):
        assert tempo_infra("check-host", *words).returncode == 2


def test_a_host_is_told_whom_it_talks_to() -> None:
    cluster = load(ROOT / "inventory/oslo-trio.yaml")
    history = next(host for host in cluster.hosts if host.name == "history-1")
    found = peers(history, cluster)
    assert (found[0].host, found[0].what) == ("db-1", "postgresql")
    assert {one.host for one in found} == {"db-1", "front-1"}
    assert {one.what for one in found if one.host == "front-1"} >= {"frontend", "matching membership"}
    assert all(one.needed for one in found)
    assert others(history, cluster) == ()
    database = store(cluster).writer
    assert peers(database, cluster) == ()
    assert {(one.host, one.needed) for one in others(database, cluster)} == {
        ("front-1", False),
        ("history-1", False),
    }


def test_each_role_is_asked_for_its_metrics_and_one_frontend_for_those_of_workers() -> None:
    cluster = load(ROOT / "inventory/oslo-trio.yaml")
    options = facts_options("/srv/tempo", workers=("10.0.0.9:9090",))
    told = {host.name: tailored(options, host, cluster) for host in cluster.hosts}
    assert [(one.role, one.metrics) for one in told["history-1"].roles] == [("history", 9234)]
    assert {name: one.worker_metrics for name, one in told.items()} == {
        "front-1": ("10.0.0.9:9090",),
        "history-1": (),
        "db-1": (),
    }


@pytest.mark.parametrize("text", ["10.0.0.9", "10.0.0.9:", "http://a:1", "a b:1", "[::1]", "a:123456"])
def test_a_place_of_metrics_or_a_frontend_is_a_host_and_a_port(text: str) -> None:
    with pytest.raises(InputError, match="write HOST:PORT"):
        facts_options("/srv/tempo", workers=(text,))
    with pytest.raises(InputError, match="write HOST:PORT"):
        facts_options("/srv/tempo", frontend=text)
    assert facts_options("/srv/tempo", frontend="[2001:db8::1]:7233").frontend == "[2001:db8::1]:7233"


def test_the_time_that_is_left_is_told_and_never_negative() -> None:
    assert "about" in Remaining("measuring", time.monotonic() + 9.6).__rich__()
    assert Remaining("measuring", 0).__rich__() == "measuring, any moment now"
    assert expected_s(4, FactsOptions()) < expected_s(5, FactsOptions())
    assert expected_s(1, FactsOptions(quick=True)) < expected_s(1, FactsOptions())
    assert expected_s(1, FactsOptions(thorough=True)) > 2 * expected_s(1, FactsOptions())
