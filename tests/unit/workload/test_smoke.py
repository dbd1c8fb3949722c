"""The whole smoke run against a real server; nothing here is imitated but the bank."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from tempo_infra.errors import InputError, UnreachableError
from tempo_infra.workload import smoke
from tempo_infra.workload.namespace import ensure_namespace
from tempo_infra.workload.smoke import SmokeResult, run_smoke
from tests.unit.workload.devserver import DevServer

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def survived(server: DevServer) -> SmokeResult:
    """Run once with both crashes: a worker, and the whole server."""
    return run_smoke(
        server.address, workflows=9, heartbeat_timeout_s=2, deadline_s=120, disturb=server.kill_and_restart
    )


def test_every_charge_is_accounted_for_though_a_worker_and_the_server_are_killed(
    survived: SmokeResult,
) -> None:
    assert survived.problems == ()
    assert survived.ok
    assert (survived.workflows, survived.completed, survived.failed_as_expected) == (9, 7, 2)
    assert (survived.charges, survived.emails) == (7, 2)


def test_the_other_worker_finishes_what_the_killed_one_had_in_progress(survived: SmokeResult) -> None:
    assert survived.in_progress >= 1
    assert survived.resumed == survived.in_progress
    said = "\n".join(event.text for event in survived.events)
    assert f"worker {survived.killed_pid} killed (SIGKILL) with {survived.in_progress} activit" in said
    assert "the cluster was disturbed as well" in said


def test_the_namespace_is_its_own_and_keeps_workflows_for_a_day(
    server: DevServer, survived: SmokeResult
) -> None:
    async def retention_s() -> int:
        client = await Client.connect(server.address)
        request = DescribeNamespaceRequest(namespace=survived.namespace)
        described = await client.workflow_service.describe_namespace(request)
        return described.config.workflow_execution_retention_ttl.seconds

    assert survived.namespace == "tempo-infra-smoke"
    assert asyncio.run(retention_s()) == 24 * 60 * 60


def test_neither_a_process_nor_a_file_is_left(survived: SmokeResult) -> None:
    assert survived.evidence == ""
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command_line.read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        assert f"smoke-{survived.run_id}".encode() not in words


def test_the_sdk_says_nothing_by_itself_while_the_server_is_away(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its own log is a coloured line for each try, among the results; what it has to say is in these."""

    async def ask(running: DevServer) -> None:
        run = SimpleNamespace(address=running.address, options=SimpleNamespace(namespace="n"))
        client = await smoke._connect(run)  # type: ignore[arg-type]  # as much of one as is used
        running.stop()
        with suppress(TimeoutError, RPCError):
            async with asyncio.timeout(10):
                await ensure_namespace(client, "n", "q")

    with DevServer(tmp_path) as running:
        asyncio.run(ask(running))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_run_over_its_deadline_ends_with_the_reason_and_the_evidence(server: DevServer) -> None:
    """The first attempt of a held card waits for a gate that the disturbance keeps shut."""
    began_s = time.monotonic()
    result = run_smoke(server.address, workflows=4, deadline_s=6, disturb=lambda: time.sleep(5))
    assert time.monotonic() - began_s < 60
    assert result.problems[0].startswith("not finished within 6 s")
    unended = [problem for problem in result.problems if "end: no end, expected" in problem]
    assert len(unended) == result.workflows - result.completed - result.failed_as_expected
    assert (Path(result.evidence) / "ledger.sqlite").exists()
    shutil.rmtree(result.evidence)


def test_a_silent_address_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "_CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="no Temporal frontend answers at 127"):
            run_smoke(address)


@pytest.mark.parametrize("workflows", [0, 3, 201])
def test_impossible_numbers_are_refused(workflows: int) -> None:
    with pytest.raises(InputError, match=r"4 \(one of each kind\) to 200"):
        run_smoke("127.0.0.1:1", workflows=workflows)
