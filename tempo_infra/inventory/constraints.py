"""Constraints of dynamic configuration: for whom a value holds, as Temporal's server reads and matches them.

The server refuses the whole file for one that it can't read, and starts with none; one that fits no question
it passes over, with a line in its log or without. Source: yaml_loader.go, collection.go and cmd/tools/
gendynamicconfig/main.go of the server, the same from 1.31.2 to 1.32.2; task.go-helpers.pb.go for the types.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tempo_infra.inventory import dynamic_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES: Final = frozenset(
    _words("namespace namespaceid taskqueuename tasktype historytasktype shardid destination chasmtasktype")
)
FITTING: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    scope: (frozenset(), *(frozenset(_words(words)) for words in sets))
    for scope, sets in {
        "Global": (),
        "Namespace": ("namespace",),
        "NamespaceID": ("namespaceid",),
        "TaskQueue": (
            "namespace",
            "taskqueuename",
            "namespace taskqueuename",
            "namespace taskqueuename tasktype",
        ),
        "ShardID": ("shardid",),
        "TaskType": ("historytasktype",),
        "Destination": ("namespace", "destination", "namespace destination"),
        "ChasmTaskType": ("chasmtasktype",),
    }.items()
}
"""What the server asks with, by the scope of a key; an entry with other constraints is never found."""
_QUEUE_TYPES: Final = {"Workflow": 1, "Activity": 2, "Nexus": 3}
_TASK_TYPES: Final = _words(
    "ReplicationHistory ReplicationSyncActivity TransferWorkflowTask TransferActivityTask "
    "TransferCloseExecution TransferCancelExecution TransferStartChildExecution TransferSignalExecution - "
    "TransferResetWorkflow - WorkflowTaskTimeout ActivityTimeout UserTimer WorkflowRunTimeout "
    "DeleteHistoryEvent ActivityRetryTimer WorkflowBackoffTimer VisibilityStartExecution "
    "VisibilityUpsertExecution VisibilityCloseExecution VisibilityDeleteExecution - TransferDeleteExecution "
    "ReplicationSyncWorkflowState ArchivalArchiveExecution StateMachineOutbound StateMachineTimer "
    "WorkflowExecutionTimeout ReplicationSyncHsm ReplicationSyncVersionedTransition ChasmPure Chasm "
    "ReplicationDeleteExecution"
)
_TASK_TYPES_SINCE_1_32: Final = ("WorkerCommands", "TimeskippingTimer")


def problems(version: str, name: str, entries: list[dict[str, object]], shards: int) -> Iterator[str]:
    """Yield what the server would refuse or never find in the entries of a key that it knows."""
    scope = dynamic_config.key(version, name).scope
    seen: set[frozenset[tuple[str, object]]] = set()
    for entry in entries:
        found = {} if entry.get("constraints") is None else entry["constraints"]
        if not isinstance(found, dict):
            yield "constraints are a mapping"
            continue
        if wrong := list(_problems(version, scope, found, shards)):
            yield from wrong
            continue
        meant = frozenset(_meant(version, str(one), value) for one, value in found.items())
        if meant in seen:
            yield "two entries with the same constraints: the server takes the first"
        seen.add(meant)


def _problems(version: str, scope: str, found: dict[object, object], shards: int) -> Iterator[str]:
    words = [str(one).casefold() for one in found]
    if unknown := sorted(set(words) - NAMES):
        yield f"no constraint is called {', '.join(unknown)}; known are {', '.join(sorted(NAMES))}"
        return
    if len(words) != len(set(words)):
        yield "one constraint in two spellings: the server takes either"
        return
    fitting = FITTING.get(scope)
    if fitting is not None and frozenset(words) not in fitting:
        sets = " or ".join(" with ".join(sorted(one)) or "none" for one in fitting)
        yield f"has no effect with the constraints {', '.join(sorted(words))}: it takes {sets}"
    for word, value in zip(words, found.values(), strict=True):
        if why := _wrong(version, word, value, shards):
            yield f"{word}: {why}"


def _wrong(version: str, word: str, value: object, shards: int) -> str:
    """Return why the server would not take a value; of an empty one it makes no constraint at all."""
    if word == "shardid":
        fits = type(value) is int and 1 <= value <= shards
        return "" if fits else f"must be the number of a shard, 1 to {shards}"
    if word in {"tasktype", "historytasktype"}:
        return "" if _number(version, word, value) else f"must be one of {', '.join(_types(version, word))}"
    return "" if isinstance(value, str) and value else "must be text"


def _types(version: str, word: str) -> Mapping[str, int]:
    if word == "tasktype":
        return _QUEUE_TYPES
    more = _TASK_TYPES_SINCE_1_32 if dynamic_config.is_from(version, "1.32.0") else ()
    return {name: number for number, name in enumerate((*_TASK_TYPES, *more), start=1) if name != "-"}


def _number(version: str, word: str, value: object) -> int | None:
    """Return the number of a type, which may stand as a name of two forms or as its number."""
    known = _types(version, word)
    if isinstance(value, str):
        prefix = "TASK_QUEUE_TYPE_" if word == "tasktype" else "TASK_TYPE_"
        forms = {prefix + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): name for name in known}
        return known.get(forms.get(value, value))
    return value if type(value) is int and value in known.values() else None


def _meant(version: str, word: str, value: object) -> tuple[str, object]:
    word = word.casefold()
    return word, _number(version, word, value) if word in {"tasktype", "historytasktype"} else str(value)
