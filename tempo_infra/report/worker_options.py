"""A worker's options as a snippet in its SDK's own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.sizing.workers import Sdk, pollers_per_frontend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tempo_infra.sizing.workers import WorkerOptions


def snippet(options: WorkerOptions) -> str:
    """Return code to paste, with the reasons as comments above it."""
    mark = "#" if options.sdk is Sdk.PYTHON else "//"
    head = [*options.reasons, "starting points: change one at a time, and measure"]
    polls = f"{options.pollers} long polls in all: {options.frontends} frontend"
    polls += f"{'s' * (options.frontends > 1)} can carry them ({pollers_per_frontend()} each)"
    return "\n".join([*(f"{mark} {line}" for line in (*head, polls)), WRITERS[options.sdk](options)])


def _go(o: WorkerOptions) -> str:
    return f"""worker.SetStickyWorkflowCacheSize({o.cached_workflows})
w := worker.New(c, taskQueue, worker.Options{{
	MaxConcurrentWorkflowTaskExecutionSize: {o.workflow_slots},
	MaxConcurrentActivityExecutionSize:     {o.activity_slots},
	MaxConcurrentWorkflowTaskPollers:       {o.workflow_pollers},
	MaxConcurrentActivityTaskPollers:       {o.activity_pollers},
}})"""


def _python(o: WorkerOptions) -> str:
    return f"""worker = Worker(
    client,
    task_queue=task_queue,
    workflows=workflows,
    activities=activities,
    activity_executor=ThreadPoolExecutor(max_workers={o.activity_slots}),
    max_concurrent_workflow_tasks={o.workflow_slots},
    max_concurrent_activities={o.activity_slots},
    max_cached_workflows={o.cached_workflows},
    workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum={o.workflow_pollers}),
    activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum={o.activity_pollers}),
)"""


def _java(o: WorkerOptions) -> str:
    return f"""WorkerFactory factory = WorkerFactory.newInstance(client, WorkerFactoryOptions.newBuilder()
    .setWorkflowCacheSize({o.cached_workflows})
    .setMaxWorkflowThreadCount({o.workflow_threads})
    .build());
Worker worker = factory.newWorker(taskQueue, WorkerOptions.newBuilder()
    .setMaxConcurrentWorkflowTaskExecutionSize({o.workflow_slots})
    .setMaxConcurrentActivityExecutionSize({o.activity_slots})
    .setMaxConcurrentWorkflowTaskPollers({o.workflow_pollers})
    .setMaxConcurrentActivityTaskPollers({o.activity_pollers})
    .build());"""


def _typescript(o: WorkerOptions) -> str:
    return f"""const worker = await Worker.create({{
  connection,
  taskQueue,
  workflowsPath,
  activities,
  maxConcurrentWorkflowTaskExecutions: {o.workflow_slots},
  maxConcurrentActivityTaskExecutions: {o.activity_slots},
  maxConcurrentWorkflowTaskPolls: {o.workflow_pollers},
  maxConcurrentActivityTaskPolls: {o.activity_pollers},
  maxCachedWorkflows: {o.cached_workflows},
  reuseV8Context: true,
}});"""


def _dotnet(o: WorkerOptions) -> str:
    return f"""var options = new TemporalWorkerOptions(taskQueue)
{{
    MaxConcurrentWorkflowTasks = {o.workflow_slots},
    MaxConcurrentActivities = {o.activity_slots},
    MaxConcurrentWorkflowTaskPolls = {o.workflow_pollers},
    MaxConcurrentActivityTaskPolls = {o.activity_pollers},
    MaxCachedWorkflows = {o.cached_workflows},
}};"""


WRITERS: Mapping[Sdk, Callable[[WorkerOptions], str]] = {
    Sdk.GO: _go,
    Sdk.PYTHON: _python,
    Sdk.JAVA: _java,
    Sdk.TYPESCRIPT: _typescript,
    Sdk.DOTNET: _dotnet,
}
