"""Tasks that wait in the database: what nobody polls is unloaded by matching, and its metrics forget it.

Matching writes how far it has got about once a minute, so the youngest tasks may be done already.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import fit
from tempo_infra.on_host.probes import protobuf

if TYPE_CHECKING:
    from typing import Callable

    Ask = Callable[[str], list[dict[str, Any]]]

MAX_SHOWN = 20
MAX_COUNTED = 10_000
# Field numbers of the server's persistence messages TaskQueueInfo, SubQueue, AllocatedTaskInfo and TaskInfo.
_NAME, _TYPE, _ACK, _SUBQUEUES, _SUB_ACK = 2, 3, 5, 9, 2
_TASK, _CREATED, _EXPIRES, _SECONDS = 1, 5, 6, 1
KINDS = {1: "Workflow", 2: "Activity", 3: "Nexus"}
OWN_QUEUES = ("temporal-sys-", "default-worker-tq")

_QUEUES = """
select q.range_hash::bigint as hash, encode(q.task_queue_id, 'hex') as id,
 left(n.name::text, 1000) as namespace, encode(substr(q.data, 1, 65536), 'hex') as data
from public.task_queues q join public.namespaces n on n.id = substring(q.task_queue_id for 16)
where exists (select from public.tasks t
 where t.range_hash = q.range_hash and t.task_queue_id = q.task_queue_id)
limit 500
"""
# By the queue's place in the list: what the database said goes back to it as numbers and hexadecimal only.
_WAITING = """
select v.place, (select count(*) from (select from public.tasks t where t.range_hash = v.hash
  and t.task_queue_id = decode(v.id, 'hex') and t.task_id > v.ack limit {most}) c) as count,
 (select encode(substr(t.data, 1, 65536), 'hex') from public.tasks t where t.range_hash = v.hash
  and t.task_queue_id = decode(v.id, 'hex') and t.task_id > v.ack order by t.task_id limit 1) as data
from (values {rows}) v(place, hash, id, ack)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    namespace: str
    queue: str
    kind: str
    count: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Queue:
    hash: int
    id: bytes
    ack: int  # tasks up to this number are done
    namespace: str
    name: str
    kind: str


def read(ask: "Ask", now: "Callable[[], float]" = time.time) -> "tuple[Waiting, ...]":
    """Return the queues of users in which tasks wait, the oldest first."""
    queues = queues_of(ask(_QUEUES))
    if not queues:
        return ()
    rows = ", ".join(
        f"({place}, {one.hash:d}::bigint, '{one.id.hex()}', {one.ack:d}::bigint)"
        for place, one in enumerate(queues)
    )
    return waiting_of(ask(_WAITING.format(most=MAX_COUNTED, rows=rows)), queues, now())


def queues_of(rows: "list[dict[str, Any]]") -> "list[Queue]":
    found = []
    for row in rows:
        message = bytes.fromhex(row["data"])
        name = b"".join(protobuf.texts(message, _NAME)[-1:]).decode(errors="replace")
        if not name.startswith(OWN_QUEUES):
            kind = KINDS.get(protobuf.number(message, _TYPE), "")
            identity = bytes.fromhex(row["id"])
            ack = _acknowledged(message)
            found.append(Queue(int(row["hash"]), identity, ack, str(row["namespace"]), name, kind))
    return found


def _acknowledged(message: bytes) -> int:
    """Return how far every part of the queue has got: the lowest of its levels of priority."""
    parts = [protobuf.number(part, _SUB_ACK) for part in protobuf.texts(message, _SUBQUEUES)]
    return min(parts) if parts else protobuf.number(message, _ACK)


def waiting_of(rows: "list[dict[str, Any]]", queues: "list[Queue]", now: float) -> "tuple[Waiting, ...]":
    found = []
    for row in rows:
        of, count = queues[row["place"]], int(row["count"])
        created, expires = _times(bytes.fromhex(row["data"])) if row["data"] else (now, 0)
        if count and not 0 < expires < now:  # what has expired is thrown away by the next poll
            age = round(min(max(0.0, now - created), now), 1)
            found.append(Waiting(fit.text(of.namespace), of.name, of.kind, count, age))
    found.sort(key=lambda one: -one.oldest_s)
    return tuple(_merged(found)[:MAX_SHOWN])


def _merged(found: "list[Waiting]") -> "list[Waiting]":
    """Add up the partitions of a queue, whose names are the queue's own between slashes."""
    whole: "dict[tuple[str, str, str], Waiting]" = {}
    for one in found:
        queue = one.queue
        if queue.startswith("/_sys/"):
            queue = queue[len("/_sys/") :].rpartition("/")[0]
        key = (one.namespace, queue, one.kind)
        before = whole.get(key)
        whole[key] = replace(one, queue=fit.text(queue), count=one.count + (before.count if before else 0),
                             oldest_s=max(one.oldest_s, before.oldest_s if before else 0.0))  # fmt: skip
    return list(whole.values())


def _times(message: bytes) -> "tuple[int, int]":
    """Return when a task was made and when it expires, 0 for never."""
    task = b"".join(protobuf.texts(message, _TASK)[-1:])

    def seconds(field: int) -> int:
        return protobuf.number(b"".join(protobuf.texts(task, field)[-1:]), _SECONDS)

    return seconds(_CREATED), seconds(_EXPIRES)
