"""Tasks that wait in the database, from rows as the server wrote them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host.probes import protobuf, task_queues
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.probes.task_queues import Queue, Waiting

QUEUES: list[dict[str, Any]] = [
    dict(zip(("hash", "id", "namespace", "data"), line.split("|"), strict=True))
    for line in (Path(__file__).parents[2] / "data/task_queues/queues.txt").read_text().splitlines()
]
# A task of the queue `nobody`, whose workflow may take ten minutes.
TASK = (
    "0a9e010a2431343161353731322d316437362d343539342d616366332d37333064393734306236353012243131383262663534"
    "2d643437322d343132352d626165612d3538336166633666643333371a2430316132313333332d363235362d376564622d6133"
    "64302d66343164333865663037336220022a0c08a0ed9bd80610f2ddd0bb01320c08f8f19bd80610f2ddd0bb013a0808331"
    "0ae8040180142020a001001"
)
LIFE_S = 600


def created() -> int:
    message = b"".join(protobuf.texts(bytes.fromhex(TASK), 1))
    return protobuf.number(b"".join(protobuf.texts(message, 5)), 1)


def test_queues_are_read_with_how_far_matching_has_got() -> None:
    told = {(one.namespace, one.name, one.kind): one.ack for one in task_queues.queues_of(QUEUES)}
    assert told[("billing", "nobody", "Workflow")] == 0
    smoke = [ack for (namespace, _, _), ack in told.items() if namespace == "tempo-infra-smoke"]
    assert 18 in smoke  # all of its 18 rows are done


def test_what_waits_is_asked_for_beyond_what_is_done() -> None:
    asked: list[str] = []
    place = [one.name for one in task_queues.queues_of(QUEUES)].index("nobody")

    def ask(query: str) -> list[dict[str, Any]]:
        asked.append(query)
        return QUEUES if len(asked) == 1 else [{"place": place, "count": 5, "data": TASK}]

    told = task_queues.read(ask, now=lambda: created() + 200.0)
    assert told == (Waiting("billing", "nobody", "Workflow", 5, 200.0),)


def test_what_the_database_said_goes_back_to_it_as_numbers_and_hexadecimal_only() -> None:
    """A name can't end a text of SQL, whatever its owner has set standard_conforming_strings to."""
    asked: list[str] = []
    message = b"\x12\x05a\\'b;\x18\x01"
    row = {"hash": 1, "id": "00ff", "namespace": "it's", "data": message.hex()}

    def ask(query: str) -> list[dict[str, Any]]:
        asked.append(query)
        return [row] if len(asked) == 1 else []

    assert task_queues.read(ask) == ()
    assert "(values (0, 1::bigint, '00ff', 0::bigint))" in asked[1]
    for wrong in ({"hash": "1); drop"}, {"id": "00'"}):
        asked.clear()
        row |= wrong
        with pytest.raises(ValueError, match=r"invalid literal|non-hexadecimal"):
            task_queues.read(ask)
        assert len(asked) == 1


def queue(name: str, kind: str) -> Queue:
    return Queue(1, b"", 0, "billing", name, kind)


def test_what_has_expired_or_is_done_does_not_wait() -> None:
    queues = [queue("nobody", "Workflow")]
    rows = [{"place": 0, "count": 5, "data": TASK}]
    assert task_queues.waiting_of(rows, queues, created() + LIFE_S + 1.0) == ()
    assert len(task_queues.waiting_of(rows, queues, created() + LIFE_S - 1.0)) == 1
    assert task_queues.waiting_of([{"place": 0, "count": 0, "data": None}], queues, 0.0) == ()


def test_partitions_of_a_queue_are_one_queue() -> None:
    queues = [queue("/_sys/orders/1", "Activity"), queue("orders", "Activity")]
    rows = [{"place": 0, "count": 5, "data": TASK}, {"place": 1, "count": 2, "data": TASK}]
    told = task_queues.waiting_of(rows, queues, created() + 9.0)
    assert told == (Waiting("billing", "orders", "Activity", 7, 9.0),)


def test_names_of_the_owners_choice_are_harmless_and_short() -> None:
    row = {"hash": 1, "id": "00", "namespace": "a\u200b\x1b" + "x" * 900}
    name = ("\u202e" + "q" * 60_000).encode()
    length = bytes([0x80 | len(name) & 0x7F, 0x80 | len(name) >> 7 & 0x7F, len(name) >> 14])
    queues = task_queues.queues_of([{**row, "data": (b"\x12" + length + name).hex()}])
    [told] = task_queues.waiting_of([{"place": 0, "count": 1, "data": TASK}], queues, created() + 9.0)
    assert told.namespace == "a??" + "x" * 197
    assert told.queue == "?" + "q" * 199


def test_nothing_waits_where_no_queue_has_tasks() -> None:
    assert task_queues.read(lambda _: []) == ()


@given(st.binary(max_size=80))
def test_any_bytes_are_fields_or_unread(data: bytes) -> None:
    with contextlib.suppress(Unread):
        assert protobuf.number(data, 1) >= 0


@pytest.mark.parametrize("text", ["0a05ab", "0aff", "08", "0d00000000"])
def test_a_message_that_is_cut_is_unread(text: str) -> None:
    with pytest.raises(Unread):
        protobuf.number(bytes.fromhex(text), 1)
