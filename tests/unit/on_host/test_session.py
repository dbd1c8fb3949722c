"""The program on the host as its operator hears it: frames in, frames out, as few writes as can be."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import session
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.session import Session
from tempo_infra.on_host.wire import Step, encode_request, read_frame

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
    Session(NONCE, io.BytesIO(data), out, layout).serve()
    return out


def test_what_ended_is_said_with_what_follows_it(tmp_path: Path) -> None:
    out = serve(Layout(tmp_path), [Step("clock"), Step("clock")])
    assert out.writes == [["clock started"], ["clock ended", "clock started"], ["clock ended", "reply"]]


def test_a_step_that_fails_is_said_with_the_one_before(tmp_path: Path) -> None:
    out = serve(Layout(tmp_path), [Step("clock"), Step("boot-id")])
    assert out.writes[1:] == [["clock ended", "boot-id started"], ["boot-id failed"], ["reply"]]


def test_reading_a_host_leaves_the_process_where_the_login_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first change, and once, it moves out of the way of the login's end."""
    moved: list[str] = []
    monkeypatch.setattr(session, "enter_scope", moved.append)
    lock = Step("lock", {"run": "r1", "who": "x"})
    serve(Layout(tmp_path), [lock, Step("clock")], [Step("unlock")])
    assert moved == []
    serve(Layout(tmp_path), [lock, Step("clock")], [lock, Step("boot-id")], [Step("confirm", {"run": "r1"})])
    assert moved == ["r1"]
