"""The program on the host as its operator hears it: frames in, frames out, as few writes as can be."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import session
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.serve import HANDLERS
from tempo_infra.on_host.session import Session
from tempo_infra.on_host.steps import change, reading
from tempo_infra.on_host.steps.step import Step
from tempo_infra.on_host.wire import encode, encode_request, read_frame

NONCE = "n1"


class Written(io.BytesIO):
    """What was written, write by write: over ssh each is a packet."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[list[str]] = []

    def write(self, data: Any) -> int:
        self.writes.append([_word(kind, body) for kind, body in frames(bytes(data))])
        return super().write(data)


def frames(data: bytes) -> list[tuple[str, Any]]:
    source, found = io.BytesIO(data), []
    while frame := read_frame(NONCE, source.readline, source.read):
        found.append(frame[:2])
    return found


def _word(kind: str, body: Any) -> str:
    return f"{body['step']} {body['state']}" if kind == "event" else kind


def serve(layout: Layout, *requests: list[Step]) -> Written:
    out = Written()
    data = b"".join(encode_request(NONCE, steps) for steps in requests)
    Session(HANDLERS, NONCE, io.BytesIO(data), out, layout).serve()
    return out


def test_what_ended_is_said_with_what_follows_it(tmp_path: Path) -> None:
    out = serve(Layout(tmp_path), [reading.Clock(), reading.Clock()])
    assert out.writes == [["clock started"], ["clock ended", "clock started"], ["clock ended", "reply"]]


def test_a_step_that_fails_is_said_with_the_one_before(tmp_path: Path) -> None:
    out = serve(Layout(tmp_path), [reading.Clock(), reading.BootId()])
    assert out.writes[1:] == [["clock ended", "boot-id started"], ["boot-id failed"], ["reply"]]


class Operator:
    """One whose connection stays open; what is said comes now or later."""

    def __init__(self) -> None:
        reads, writes = os.pipe()
        self.input, self._output = os.fdopen(reads, "rb"), os.fdopen(writes, "wb", buffering=0)

    def asks(self, *requests: list[Step]) -> None:
        self._output.write(b"".join(encode_request(NONCE, steps) for steps in requests))

    def is_there(self, after: Sequence[float]) -> None:
        for wait_s in after:
            time.sleep(wait_s)
            self._output.write(encode(NONCE, "alive", {}))

    def leaves(self) -> None:
        self._output.close()


LOCK = change.Lock(run="r1", who="kari@laptop")


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    monkeypatch.setattr(session, "SILENT_S", 1.0)
    found = Operator()
    yield found
    found.leaves()
    found.input.close()


@pytest.mark.thorough
def test_an_operator_who_stands_still_with_the_lock_is_taken_for_gone(
    operator: Operator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-Z: the connection stays, and nobody else could work on the host for as long as it does."""
    operator.asks([LOCK], [reading.Clock()])
    Session(HANDLERS, NONCE, operator.input, io.BytesIO(), Layout(tmp_path)).serve()
    assert capsys.readouterr().err == "nothing was heard of the operator for 1 s, so this host was let go\n"


@pytest.mark.thorough
def test_who_says_something_now_and_then_keeps_the_lock_and_no_step_is_cut(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {**HANDLERS, reading.Clock: lambda *_: time.sleep(1.5)}
    operator.asks([LOCK, reading.Clock()])
    there = threading.Thread(target=operator.is_there, args=[(1.8, 0.4, 0.4)])
    there.start()
    started, out = time.monotonic(), Written()
    Session(slow, NONCE, operator.input, out, Layout(tmp_path)).serve()
    there.join()
    assert time.monotonic() - started > 2.6
    assert out.writes[-1][-1] == "reply"


@pytest.mark.thorough
def test_who_only_reads_may_be_silent(operator: Operator, tmp_path: Path) -> None:
    operator.asks([reading.Runs()])
    threading.Timer(1.3, operator.leaves).start()
    started = time.monotonic()
    Session(HANDLERS, NONCE, operator.input, io.BytesIO(), Layout(tmp_path)).serve()
    assert time.monotonic() - started > 1.2


def test_a_record_that_can_not_be_read_leaves_the_operator_with_an_answer(tmp_path: Path) -> None:
    """A disk that is out of order; who decides then finds out by himself."""
    layout = Layout(tmp_path)
    layout.armed.mkdir(parents=True)
    out = serve(layout, [LOCK, reading.BootId()], [LOCK])
    assert [words[-1] for words in out.writes if words[-1] == "reply"] == ["reply", "reply"]


def test_reading_a_host_leaves_the_process_where_the_login_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first change, and once, it moves out of the way of the login's end."""
    moved: list[str] = []
    monkeypatch.setattr(session, "enter_scope", moved.append)
    lock = change.Lock(run="r1", who="x")
    serve(Layout(tmp_path), [lock, reading.Clock()], [change.Unlock()])
    assert moved == []
    serve(Layout(tmp_path), [lock, reading.Clock()], [lock, reading.BootId()], [change.Confirm("r1", "")])
    assert moved == ["r1"]
