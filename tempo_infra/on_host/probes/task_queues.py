"""Tasks that wait in the database: what nobody polls is unloaded by matching, and its metrics forget it.

Matching writes how far it has got about once a minute, so the youngest tasks may be done already.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tempo_infra.on_host.probes import protobuf

if TYPE_CHECKING:
    from typing import Callable

    Ask = Callable[[str], str]

MAX_SHOWN = 20
MAX_COUNTED = 10_000
# Field numbers of the server's persistence messages TaskQueueInfo, SubQueue, AllocatedTaskInfo and TaskInfo.
_NAME, _TYPE, _ACK, _SUBQUEUES, _SUB_ACK = 2, 3, 5, 9, 2
_TASK, _CREATED, _EXPIRES, _SECONDS = 1, 5, 6, 1
KINDS = {1: "Workflow", 2: "Activity", 3: "Nexus"}
OWN_QUEUES = ("temporal-sys-", "default-worker-tq")

_QUEUES = """
select q.range_hash, encode(q.task_queue_id, 'hex'), n.name, encode(q.data, 'hex')
from task_queues q join namespaces n on n.id = substring(q.task_queue_id for 16)
where exists (select from tasks t where t.range_hash = q.range_hash and t.task_queue_id = q.task_queue_id)
limit 500
"""
_WAITING = """
select v.name, v.queue, v.kind, (select count(*) from (select from tasks t where t.range_hash = v.hash
  and t.task_queue_id = decode(v.id, 'hex') and t.task_id > v.ack limit {most}) c),
 (select encode(t.data, 'hex') from tasks t where t.range_hash = v.hash
  and t.task_queue_id = decode(v.id, 'hex') and t.task_id > v.ack order by t.task_id limit 1)
from (values {rows}) v(hash, id, ack, name, queue, kind)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    namespace: str
    queue: str
    kind: str
    count: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class _Queue:
    hash: int
    id: str  # hexadecimal
    ack: int  # tasks up to this number are done
    namespace: str
    queue: str
    kind: str

    @property
    def row(self) -> str:
        texts = ", ".join(
            "'" + text.replace("'", "''") + "'" for text in (self.namespace, self.queue, self.kind)
        )
        return f"({self.hash}::bigint, '{self.id}', {self.ack}::bigint, {texts})"


def read(ask: "Ask", now: "Callable[[], float]" = time.time) -> "tuple[Waiting, ...]":
    """Return the queues of users in which tasks wait, the oldest first."""
    queues = parse_queues(ask(_QUEUES))
    if not queues:
        return ()
    rows = ", ".join(one.row for one in queues)
    return parse_waiting(ask(_WAITING.format(most=MAX_COUNTED, rows=rows)), now())


def parse_queues(text: str) -> "tuple[_Queue, ...]":
    found = []
    for line in text.splitlines():
        hashed, identifier, namespace, data = line.split("|")
        message = bytes.fromhex(data)
        name = b"".join(protobuf.texts(message, _NAME)[-1:]).decode(errors="replace")
        if not name.startswith(OWN_QUEUES):
            kind = KINDS.get(protobuf.number(message, _TYPE), "")
            found.append(_Queue(int(hashed), identifier, _acknowledged(message), namespace, name, kind))
    return tuple(found)


def _acknowledged(message: bytes) -> int:
    """Return how far every part of the queue has got: the lowest of its levels of priority."""
    parts = [protobuf.number(part, _SUB_ACK) for part in protobuf.texts(message, _SUBQUEUES)]
    return min(parts) if parts else protobuf.number(message, _ACK)


def parse_waiting(text: str, now: float) -> "tuple[Waiting, ...]":
    found = []
    for line in text.splitlines():
        namespace, queue, kind, count, data = line.rsplit("|", 4)
        created, expires = _times(bytes.fromhex(data)) if data else (now, 0)
        if int(count) and not 0 < expires < now:  # what has expired is thrown away by the next poll
            found.append(Waiting(namespace, queue, kind, int(count), round(max(0.0, now - created), 1)))
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
        whole[key] = replace(one, queue=queue, count=one.count + (before.count if before else 0),
                             oldest_s=max(one.oldest_s, before.oldest_s if before else 0.0))  # fmt: skip
    return list(whole.values())


def _times(message: bytes) -> "tuple[int, int]":
    """Return when a task was made and when it expires, 0 for never."""
    task = b"".join(protobuf.texts(message, _TASK)[-1:])

    def seconds(field: int) -> int:
        return protobuf.number(b"".join(protobuf.texts(task, field)[-1:]), _SECONDS)

    return seconds(_CREATED), seconds(_EXPIRES)
