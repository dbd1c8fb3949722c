"""Ours with one thing taken out, each as a function from stack to stack."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.sizing.others import HELM_SHARDS
from bench.sizing.server import ROLES, Document, Process, Server, Stack
from tempo_infra.sizing.instead import ARTICLE, ARTICLE_SHARDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CACHES = (
    "history.cacheSizeBasedLimit",
    "history.hostLevelCacheMaxSizeBytes",
    "history.enableHostLevelEventsCache",
    "history.eventsHostLevelCacheMaxSizeBytes",
)
ROOMY_SHARDS = 256  # room for four times two vCPUs
PARTITIONS = ("matching.numTaskqueueReadPartitions", "matching.numTaskqueueWritePartitions")
EAGER = ("system.enableActivityEagerExecution",)


def _processes(stack: Stack, edit: Callable[[Process], Process]) -> Stack:
    processes = tuple(edit(copy.deepcopy(process)) for process in stack.server.processes)
    return replace(stack, server=replace(stack.server, processes=processes))


def _without_keys(stack: Stack, keys: tuple[str, ...]) -> Stack:
    def edit(process: Process) -> Process:
        dynamic = {name: value for name, value in process.dynamic.items() if name not in keys}
        return replace(process, dynamic=dynamic)

    return _processes(stack, edit)


def _config(stack: Stack, edit: Callable[[Document], None]) -> Stack:
    def changed(process: Process) -> Process:
        edit(process.config)
        return process

    return _processes(stack, changed)


def _shards(stack: Stack, count: int) -> Stack:
    def edit(config: Document) -> None:
        config["persistence"]["numHistoryShards"] = count

    return _config(stack, edit)


def _plugin(stack: Stack, name: str) -> Stack:
    def edit(config: Document) -> None:
        for store in config["persistence"]["datastores"].values():
            store["sql"]["pluginName"] = name

    return _config(stack, edit)


def _server(stack: Stack, edit: Callable[[Server], Server]) -> Stack:
    return replace(stack, server=edit(stack.server))


def _without_env(stack: Stack, name: str) -> Stack:
    return _processes(stack, lambda one: replace(one, env={k: v for k, v in one.env.items() if k != name}))


def _one_process(stack: Stack) -> Stack:
    """All services in one process, with the memory of all."""
    first = stack.server.processes[0]
    dynamic = {name: value for one in stack.server.processes for name, value in one.dynamic.items()}
    whole = sum(int(one.env["GOMEMLIMIT"].removesuffix("MiB")) for one in stack.server.processes)
    env = {**first.env, "GOMEMLIMIT": f"{whole}MiB"}
    return replace(
        stack, server=replace(stack.server, processes=(Process(ROLES, first.config, dynamic, env),))
    )


def _custom_plans(server: Server) -> Server:
    forced = "ALTER ROLE temporal SET plan_cache_mode = force_custom_plan;"
    return replace(server, sql={**server.sql, "postgres": forced})


def _article_postgresql(server: Server) -> Server:
    return replace(server, postgresql=dict(ARTICLE))


def _bare_tables(server: Server) -> Server:
    """Without storage parameters; how statements are planned stays."""
    kept = {
        database: "\n".join(
            line for line in text.splitlines() if "SET (fill" not in line and "SET (auto" not in line
        )
        for database, text in server.sql.items()
    }
    return replace(server, sql=kept)


def _default_pollers(stack: Stack) -> Stack:
    return replace(stack, worker=replace(stack.worker, workflow_pollers=0, activity_pollers=0))


CHANGES: Mapping[str, Callable[[Stack], Stack]] = {
    "lib/pq": lambda stack: _plugin(stack, "postgres12"),
    "each statement planned anew": lambda stack: _server(stack, _custom_plans),
    "no eager activities": lambda stack: _without_keys(stack, EAGER),
    "4 partitions a queue": lambda stack: _without_keys(stack, PARTITIONS),
    "the SDK's 2 pollers": _default_pollers,
    "4 shards": lambda stack: _shards(stack, ARTICLE_SHARDS),
    "256 shards": lambda stack: _shards(stack, ROOMY_SHARDS),
    "512 shards": lambda stack: _shards(stack, HELM_SHARDS),
    "the article's postgresql.conf": lambda stack: _server(stack, _article_postgresql),
    "no storage parameters": lambda stack: _server(stack, _bare_tables),
    "the server's caches": lambda stack: _without_keys(stack, CACHES),
    "Go's own pace of collection": lambda stack: _without_env(stack, "GOGC"),
    "one process": _one_process,
}
"""What is changed, by the name that tables use."""
