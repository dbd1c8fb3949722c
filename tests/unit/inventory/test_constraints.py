"""For whom a value of dynamic configuration holds: what the server refuses, and what it never finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory import constraints, dynamic_config
from tempo_infra.render import parse
from tempo_infra.render.keys import check_dynamic

PARTITIONS = "matching.numTaskqueueReadPartitions"
DELAY = "history.standbyTaskMissingEventsDiscardDelay"
TYPE = "historyTaskType"
WAIT = "history.ReplicationTaskProcessorErrorRetryWait"


def check(key: str, entries: str, version: str = "1.31.2") -> None:
    check_dynamic(parse.yaml(f"{key}: {entries}\n"), Path("dynamic.yaml.j2"), version, 512)


@pytest.mark.parametrize(
    ("key", "entries"),
    [
        ("history.rps", "[{value: 5, constraints: {}}]"),
        ("history.rps", "[{value: 5, constraints: ~}]"),
        ("frontend.namespaceRPS", "[{value: 5, constraints: {NameSpace: a}}, {value: 6}]"),
        (PARTITIONS, "[{value: 5, constraints: {taskQueueName: q}}]"),
        (PARTITIONS, "[{value: 5, constraints: {namespace: a, taskQueueName: q}}]"),
        (PARTITIONS, "[{value: 5, constraints: {namespace: a, taskQueueName: q, taskType: Nexus}}]"),
        (PARTITIONS, "[{value: 5, constraints: {namespace: a, taskQueueName: q, taskType: 2}}]"),
        (
            PARTITIONS,
            "[{value: 5, constraints: {namespace: a, taskQueueName: q, taskType: TASK_QUEUE_TYPE_ACTIVITY}}]",
        ),
        ("history.SkipReapplicationByNamespaceID", "[{value: true, constraints: {namespaceID: x}}]"),
        (WAIT, "[{value: 5s, constraints: {shardID: 1}}, {value: 5s, constraints: {shardID: 512}}]"),
        (DELAY, "[{value: 5s, constraints: {historyTaskType: UserTimer}}]"),
        (DELAY, "[{value: 5s, constraints: {historyTaskType: TASK_TYPE_REPLICATION_SYNC_HSM}}]"),
        (DELAY, "[{value: 5s, constraints: {historyTaskType: 34}}]"),
        ("callback.request.timeout", "[{value: 5s, constraints: {namespace: a, destination: x}}]"),
        ("history.ChasmStandbyTaskDiscardDelay", "[{value: 5s, constraints: {chasmTaskType: x}}]"),
    ],
)
def test_what_the_server_finds_is_taken(key: str, entries: str) -> None:
    check(key, entries)


@pytest.mark.parametrize("version", ["1.32.0", "1.32.2"])
def test_a_type_that_a_version_brings_is_taken_from_then_on(version: str) -> None:
    entries = "[{value: 5s, constraints: {historyTaskType: WorkerCommands}}]"
    check(DELAY, entries, version)
    with pytest.raises(InputError, match="historytasktype: must be one of ReplicationHistory, "):
        check(DELAY, entries)


SCOPE = "has no effect with the constraints"


@pytest.mark.parametrize(
    ("key", "constraint", "said"),
    [
        ("history.rps", "5", "constraints are a mapping"),
        ("history.rps", "false", "constraints are a mapping"),
        ("frontend.namespaceRPS", "[namespace]", "constraints are a mapping"),
        ("frontend.namespaceRPS", "namespace", "constraints are a mapping"),
        ("frontend.namespaceRPS", "{host: a}", "no constraint is called host"),
        ("frontend.namespaceRPS", "{namespace: 5}", "namespace: must be text"),
        ("frontend.namespaceRPS", "{namespace: ''}", "namespace: must be text"),
        ("frontend.namespaceRPS", "{namespace: a, Namespace: b}", "in two spellings"),
        ("history.rps", "{namespace: a}", f"{SCOPE} namespace: it takes none"),
        ("frontend.namespaceRPS", "{taskQueueName: q}", f"{SCOPE} taskqueuename: it takes none or namespace"),
        ("frontend.namespaceRPS", "{namespace: a, shardID: 1}", f"{SCOPE} namespace, shardid"),
        (PARTITIONS, "{taskType: Workflow}", f"{SCOPE} tasktype"),
        (PARTITIONS, "{namespace: a, taskType: Workflow}", f"{SCOPE} namespace, tasktype"),
        (
            PARTITIONS,
            "{namespace: a, taskQueueName: q, taskType: workflow}",
            "one of Workflow, Activity, Nexus",
        ),
        (PARTITIONS, "{namespace: a, taskQueueName: q, taskType: 9}", "one of Workflow, Activity, Nexus"),
        (PARTITIONS, "{namespace: a, taskQueueName: q, taskType: true}", "one of Workflow, Activity, Nexus"),
        (WAIT, "{shardID: '1'}", "the number of a shard, 1 to 512"),
        (WAIT, "{shardID: 1.0}", "the number of a shard, 1 to 512"),
        (WAIT, "{shardID: 0}", "the number of a shard, 1 to 512"),
        (WAIT, "{shardID: 513}", "the number of a shard, 1 to 512"),
        (DELAY, "{historyTaskType: Unspecified}", "historytasktype: must be one of"),
        (DELAY, "{historyTaskType: '-'}", "historytasktype: must be one of"),
        (DELAY, "{historyTaskType: 9}", "historytasktype: must be one of"),
    ],
)
def test_what_the_server_refuses_or_never_finds_is_refused(key: str, constraint: str, said: str) -> None:
    with pytest.raises(InputError) as told:
        check(key, f"[{{value: 5, constraints: {constraint}}}]")
    assert said in told.value.what


@pytest.mark.parametrize(
    ("key", "entries"),
    [
        ("matching.rps", "[{value: 5}, {value: 7}]"),
        ("matching.rps", "[{value: 5}, {value: 7, constraints: {}}]"),
        (
            "frontend.namespaceRPS",
            "[{value: 5, constraints: {namespace: a}}, {value: 6}, {value: 7, constraints: {nameSpace: a}}]",
        ),
        (
            DELAY,
            f"[{{value: 1, constraints: {{{TYPE}: 14}}}}, {{value: 2, constraints: {{{TYPE}: UserTimer}}}}]",
        ),
    ],
)
def test_a_second_value_for_the_same_is_refused(key: str, entries: str) -> None:
    with pytest.raises(InputError, match="two entries with the same constraints: the server takes the first"):
        check(key, entries)


def test_a_key_without_entries_has_no_effect() -> None:
    with pytest.raises(InputError, match="a key has a list of entries, each with a value"):
        check("matching.rps", "[]")


def test_of_a_key_that_nobody_knows_no_constraint_is_out_of_place() -> None:
    check("history.ofTomorrow", "[{value: 5, constraints: {namespace: a, shardID: 3}}]", "1.33.0")
    with pytest.raises(InputError, match="shardid: must be the number of a shard"):
        check("history.ofTomorrow", "[{value: 5, constraints: {shardID: x}}]", "1.33.0")


@pytest.mark.parametrize("version", dynamic_config.versions())
def test_each_key_of_the_table_has_a_scope_that_is_known(version: str) -> None:
    scopes = {key.scope for key in dynamic_config.keys(version).values()}
    assert scopes == set(constraints.FITTING)
