"""Temporal's own metrics, as its services wrote them: what waits, who polls, how long shard locks take."""

from __future__ import annotations

import http.server
import io
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.deploy import responses
from tempo_infra.on_host.facts import FactsOptions
from tempo_infra.on_host.probes import exposition, metrics
from tempo_infra.on_host.probes.metrics import Asked, Delays, Polls, Queue, Slots
from tempo_infra.on_host.probes.reading import Reading, Unread, attempt
from tempo_infra.on_host.probes.roles import RolePort
from tempo_infra.on_host.steps.reading import Facts
from tempo_infra.on_host.wire import encode, read_frame

DATA = Path(__file__).parents[2] / "data/metrics"
EVERYTHING = sorted({name for names in metrics.OF_ROLE.values() for name in names} | set(metrics.OF_WORKER))


def asked(text: str, at_s: float = 0.0) -> Asked:
    found = (exposition.parse_line(line, EVERYTHING) for line in text.splitlines())
    return Asked(at_s, tuple(one for one in found if one is not None))


def captured(role: str) -> str:
    return (DATA / f"{role}.txt").read_text()


def test_a_queue_that_nobody_polls_is_found_with_its_oldest_task() -> None:
    text = captured("matching")
    told = metrics.backlog(asked(text), asked(text, 9.0))
    [waiting] = told.queues
    assert (waiting.namespace, waiting.queue, waiting.kind) == ("billing", "nobody", "Workflow")
    assert waiting.waiting == 10
    assert waiting.oldest_s > 100
    assert (waiting.polls, waiting.window_s) == (0, 9.0)


def test_polls_in_the_window_are_those_between_two_answers() -> None:
    labels = 'namespace="n",taskqueue="q",task_type="Activity"'
    one = f'poll_success{{{labels},partition="0"}} 5\npoll_timeouts{{{labels},partition="0"}} 1\n'
    more = f'poll_success{{{labels},partition="0"}} 9\npoll_timeouts{{{labels},partition="1"}} 2\n'
    gauges = f'approximate_backlog_count{{{labels},task_priority="3"}} 4\n'
    gauges += f'approximate_backlog_count{{{labels},task_priority="5"}} 2\n'
    gauges += f'approximate_backlog_age_seconds{{{labels},partition="0"}} 7\n'
    gauges += f'approximate_backlog_age_seconds{{{labels},partition="1"}} 3\n'
    told = metrics.backlog(asked(one), asked(more + gauges, 4.0))
    assert told.queues == (Queue("n", "q", "Activity", 6, 7.0, 4.0, 5),)


def test_what_is_the_servers_own_is_left_out() -> None:
    text = captured("matching")
    names = {one.labels["taskqueue"] for one in asked(text).samples}
    assert {"default_worker_tq", "temporal_sys_per_ns_tq"} <= names
    assert metrics.backlog(asked(text), asked(text)).known == 3  # smoke: workflow, activity; nobody: workflow


def test_polls_are_told_by_namespace() -> None:
    told = metrics.polls(asked(captured("frontend")).samples)
    assert told == (Polls("billing", 2, 2), Polls("tempo_infra_smoke", 2, 2))


def test_the_shard_lock_is_told_by_the_edges_of_its_buckets() -> None:
    told = metrics.shard_lock(asked(captured("history")), asked(captured("history"), 9.5))
    assert told.window == Delays(0, 0.0, 0.0)
    assert (told.window_s, told.since_start.p50_ms) == (9.5, 1.0)
    assert told.since_start.count > 400


@pytest.mark.parametrize(
    ("buckets", "told"),
    [
        ({}, Delays(0, 0.0, 0.0)),
        ({float("inf"): 7.0}, Delays(0, 0.0, 0.0)),
        ({1.0: 50.0, 5.0: 99.0, float("inf"): 100.0}, Delays(100, 1.0, 5.0)),
        ({1.0: 49.0, 5.0: 98.0, 10.0: 100.0, float("inf"): 100.0}, Delays(100, 5.0, 10.0)),
        ({1.0: 0.0, 5.0: 0.0, float("inf"): 100.0}, Delays(100, 5.0, 5.0)),  # beyond the last edge
    ],
)
def test_delays(buckets: dict[float, float], told: Delays) -> None:
    assert metrics.delays(buckets) == told


@pytest.fixture
def worker() -> Iterator[str]:
    """A program that answers as an SDK's worker does."""
    labels = 'namespace="billing",task_queue="q",worker_type="ActivityWorker"'
    page = f"{metrics.SLOTS}{{{labels}}} 0\n{metrics.SLOTS_USED}{{{labels}}} 50\n"

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_workers_slots_are_read_over_http(worker: str) -> None:
    told = metrics.read({}, {}, (worker,))
    assert told.slots == Reading((Slots(worker, "q", "ActivityWorker", 0, 50),))
    assert (told.shard_lock.value, told.shard_lock.not_wanted) == (None, True)


def test_a_worker_that_does_not_answer_is_unread_with_its_name() -> None:
    told = metrics.read({}, {}, ("127.0.0.1:1",))
    assert told.slots == Reading(None, "worker 127.0.0.1:1: connection refused")


def test_a_service_that_does_not_run_is_unread() -> None:
    ports = (RolePort("history", 7234, 9234), RolePort("worker", 7239, 9239))
    answers = metrics.ask_services(ports, Reading(()))
    assert answers == {"history": Reading(None, "history does not run")}
    told = metrics.read(answers, answers, ())
    assert told.shard_lock == Reading(None, "history does not run")
    assert told.backlog.not_wanted


def test_a_silent_engine_hides_the_roles_of_this_host_and_no_others() -> None:
    ports = (RolePort("matching", 7235, 9235), RolePort("frontend", 7233, 9233))
    answers = metrics.ask_services(ports, Reading(None, "`docker version` gave no answer in 8 s"))
    told = metrics.read(answers, answers, ())
    for reading in (told.backlog, told.polls):
        assert (reading.unread, reading.not_wanted) == ("`docker version` gave no answer in 8 s", False)
    assert told.shard_lock.not_wanted
    assert told.slots.not_wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a network namespace")
def test_a_network_is_entered_by_one_thread_only(worker: str) -> None:
    """This process's own namespace: the question arrives, and the caller stays where it was."""
    before = Path("/proc/thread-self/ns/net").readlink()
    port = int(worker.rpartition(":")[2])
    found = exposition.inside(os.getpid(), lambda: exposition.ask("127.0.0.1", port, metrics.OF_WORKER))
    assert len(found) == 2
    assert Path("/proc/thread-self/ns/net").readlink() == before
    with pytest.raises(OSError, match="No such file"):
        exposition.inside(2**22 + 1, lambda: ())


def test_metrics_that_never_end_or_are_none_are_unread() -> None:
    endless = io.BytesIO(b"HTTP/1.0 200 OK\r\n\r\n" + b"# noise\n" * 10)
    with pytest.raises(Unread, match="never end"):
        exposition.read_samples(endless, (), most_bytes=40)
    with pytest.raises(Unread, match="404"):
        exposition.read_samples(io.BytesIO(b"HTTP/1.0 404 Not Found\r\n\r\n"), ())


@given(st.text())
def test_any_line_is_a_sample_or_nothing(line: str) -> None:
    found = exposition.parse_line(line, ("a",))
    assert found is None or found.name == "a"


def test_labels_may_hold_quotes_and_commas() -> None:
    found = exposition.parse_line(r'a{x="1,\"2\"",y=""} 3.5e2 1700000000', ("a",))
    assert found is not None
    assert (found.labels, found.value) == ({"x": r"1,\"2\"", "y": ""}, 350.0)
    assert exposition.parse_line("a NaN", ("a",)) is None
    assert exposition.parse_line("a{} x", ("a",)) is None
    assert replace(found, value=1.0) != found


def arrives(value: Reading[Any]) -> bool:
    """Whether the operator's program takes an answer with it: it refuses the whole of it, or nothing."""
    sent = io.BytesIO(encode("n", "reply", {"results": [asdict(value)]}))
    step = Facts(FactsOptions())
    return (
        read_frame("n", sent.readline, sent.read, lambda kind: responses.most_bytes(kind, [step])) is not None
    )


def everything(number: str, edge: str, name: str, count: int) -> str:
    """What all services and a worker would say, with numbers and names of somebody's choice."""
    lines = []
    for at in range(count):
        of = f'namespace="{name}{at}",taskqueue="{name}{at}",task_type="Workflow",partition="0"'
        lines += [f"{one}{{{of}}} {number}" for one in (*metrics.BACKLOG, *metrics.BACKLOG_AGE)]
        lines.append(
            f'{metrics.PENDING}{{operation="PollWorkflowTaskQueue",namespace="{name}{at}"}} {number}'
        )
        for one in metrics.OF_WORKER:
            lines.append(f'{one}{{task_queue="{name}{at}",worker_type="WorkflowWorker"}} {number}')
    for one in (edge, "+Inf"):
        lines.append(f'{metrics.SHARD_LOCK}{{operation="ShardInfo",le="{one}"}} {number}')
    return "\n".join(lines)


@pytest.mark.parametrize("number", ["1e30", "-1e30", "+Inf", "NaN", "9e18", "1"])
@pytest.mark.parametrize("edge", ["1e300", "nan", "-1e300", "1"])
def test_no_number_of_a_service_keeps_the_rest_of_its_host_from_arriving(number: str, edge: str) -> None:
    told = asked(everything(number, edge, "x", 3), 9.0)
    before = asked(everything("7", edge, "x", 3))
    assert arrives(attempt(lambda: metrics.backlog(before, told)))
    assert arrives(attempt(lambda: metrics.polls(told.samples)))
    assert arrives(attempt(lambda: metrics.slots("10.0.0.1:9", told.samples)))
    assert arrives(attempt(lambda: metrics.shard_lock(before, told)))


def test_names_are_as_few_and_short_as_an_answer_can_hold_and_the_worst_stay() -> None:
    """Whoever reaches the frontend chooses them: namespaces, task queues."""
    told = asked(everything("1", "1", "\u0456" * 300, 3000), 9.0)
    worst = f'{metrics.PENDING}{{operation="PollActivityTaskQueue",namespace="busy"}} 950\n'
    worst += f'{metrics.SLOTS}{{task_queue="stuck",worker_type="A"}} 0\n'
    worst += f'{metrics.SLOTS_USED}{{task_queue="stuck",worker_type="A"}} 5'
    told = replace(told, samples=(*told.samples, *asked(worst).samples))
    polls = attempt(lambda: metrics.polls(told.samples))
    slots = attempt(lambda: metrics.slots("10.0.0.1:9", told.samples))
    assert all(arrives(one) for one in (polls, slots, attempt(lambda: metrics.backlog(told, told))))
    assert [list(one.value or ())[:1] for one in (polls, slots)] == [
        [Polls("busy", 0, 950)],
        [Slots("10.0.0.1:9", "stuck", "A", 0, 5)],
    ]
