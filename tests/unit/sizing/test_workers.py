"""Worker options: monotone, within what an SDK can do, and written in names that the SDK knows."""

from __future__ import annotations

import ast
import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError
from tempo_infra.report.worker_options import snippet
from tempo_infra.sizing.settings import GIB
from tempo_infra.sizing.workers import Activities, Sdk, WorkerOptions, worker_options


def options(sdk: Sdk, vcpu: int = 4, gib: int = 8, activities: Activities = Activities.IO) -> WorkerOptions:
    return worker_options(sdk, vcpu, gib * GIB, activities)


@given(
    sdk=st.sampled_from(Sdk),
    vcpu=st.integers(1, 128),
    per_vcpu=st.integers(1, 16),
    activities=st.sampled_from(Activities),
)
def test_pollers_find_slots_and_the_cache_holds_what_runs(
    sdk: Sdk, vcpu: int, per_vcpu: int, activities: Activities
) -> None:
    found = options(sdk, vcpu, vcpu * per_vcpu, activities)
    assert 2 <= found.workflow_pollers <= max(found.workflow_slots, 2)
    assert 2 <= found.activity_pollers <= max(found.activity_slots, 2)
    assert found.cached_workflows >= found.workflow_slots
    assert found.pollers <= found.frontends * 960
    if sdk is Sdk.JAVA:
        assert found.workflow_slots <= found.cached_workflows <= found.workflow_threads
    more = options(sdk, vcpu, vcpu * per_vcpu + vcpu, activities)
    assert more.cached_workflows >= found.cached_workflows


@pytest.mark.parametrize("sdk", Sdk)
def test_computing_activities_get_no_more_than_two_a_vcpu(sdk: Sdk) -> None:
    found = options(sdk, 8, 32, Activities.CPU)
    assert found.processes * found.activity_slots == 16


def test_too_little_memory_is_refused_with_what_it_takes() -> None:
    with pytest.raises(InputError, match="1024 MiB for 8 python processes") as caught:
        options(Sdk.PYTHON, 8, 1)
    assert caught.value.remedy == "give the machine 3072 MiB, or fewer vCPUs to the worker"


def test_the_python_snippet_is_code_that_the_sdk_takes() -> None:
    tree = ast.parse(snippet(options(Sdk.PYTHON)))
    calls = {
        call.func.id: call
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    known = inspect.signature(Worker.__init__).parameters
    assert {word.arg for word in calls["Worker"].keywords} <= set(known)
    poller = inspect.signature(PollerBehaviorSimpleMaximum).parameters
    assert {word.arg for word in calls["PollerBehaviorSimpleMaximum"].keywords} <= set(poller)


DOTNET = {
    *("MaxConcurrentWorkflowTasks", "MaxConcurrentActivities", "MaxConcurrentLocalActivities"),
    *("MaxConcurrentWorkflowTaskPolls", "MaxConcurrentActivityTaskPolls", "MaxCachedWorkflows"),
    *("MaxActivitiesPerSecond", "MaxTaskQueueActivitiesPerSecond", "NonStickyToStickyPollRatio"),
}
"""Numbers that can be set: src/Temporalio/Worker/TemporalWorkerOptions.cs of temporalio/sdk-dotnet."""


def test_the_dotnet_snippet_sets_properties_that_its_source_has() -> None:
    """Not compiled: there is no .NET where the tests run."""
    names = re.findall(r"^    (\w+) = \d+,$", snippet(options(Sdk.DOTNET)), re.MULTILINE)
    assert len(names) == 5
    assert set(names) <= DOTNET


@pytest.mark.parametrize(
    ("sdk", "words"),
    [
        (
            "go",
            ["MaxConcurrentWorkflowTaskExecutionSize: 256,", "MaxConcurrentActivityExecutionSize:     400,"],
        ),
        ("java", [".setMaxConcurrentWorkflowTaskExecutionSize(200)", ".setMaxWorkflowThreadCount(400)"]),
        ("typescript", ["maxConcurrentWorkflowTaskExecutions: 40,", "reuseV8Context: true,"]),
        ("dotnet", ["MaxConcurrentWorkflowTasks = 200,", "MaxConcurrentActivities = 400,"]),
        ("python", ["max_concurrent_workflow_tasks=50,", "max_concurrent_activities=100,"]),
    ],
)
def test_each_sdk_gets_its_own_names_and_reasons(sdk: str, words: list[str]) -> None:
    done = CliRunner().invoke(app, ["worker-options", "--sdk", sdk, "--vcpu", "4", "--memory", "8GiB"])
    assert done.exit_code == 0
    assert all(word in done.output for word in words)
    assert "article: 50" in done.output
    assert "at most 960 a frontend" in done.output


def test_a_memory_without_unit_is_a_usage_error() -> None:
    done = CliRunner().invoke(app, ["worker-options", "--sdk", "go", "--vcpu", "4", "--memory", "8"])
    assert isinstance(done.exception, InputError)
    assert 'did you mean "8GiB"' in str(done.exception) or "needs a unit" in str(done.exception)
