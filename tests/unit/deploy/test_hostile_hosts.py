"""A host that says anything but an answer: one error, bounded memory, no character that steers a terminal."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.deploy import session
from tempo_infra.deploy.session import Session
from tempo_infra.errors import StepFailedError, TempoInfraError, UnreachableError
from tempo_infra.on_host.wire import Step, encode
from tempo_infra.ssh.door import Process

NONCE = "n1"
MIB = 1024 * 1024


class Says(Process):
    """A program that says what it is given, in pieces as a network would bring them."""

    def __init__(self, pieces: Iterator[bytes], errors: bytes = b"") -> None:
        super().__init__("db-1")
        self._pieces, self._error = pieces, errors

    @property
    def ended(self) -> bool:
        return False

    def send(self, data: bytes, *, deadline_s: float) -> None:
        del data, deadline_s

    def close_stdin(self) -> None: ...

    def close(self) -> None: ...

    def _more(self, until: float, deadline_s: float) -> bool:
        del until, deadline_s
        if self._error:
            self._keep_error(self._error)
        piece = next(self._pieces, b"")
        self._out += piece
        return bool(piece or self._error)

    def _exit_code(self, until: float) -> int:
        del until
        return 1


def always(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


def ask(process: Process, **more: Any) -> list[Any]:
    return Session("db-1", process, NONCE).call([Step("facts")], **more)


def reply(**body: Any) -> bytes:
    return encode(NONCE, "reply", body)


def raw(text: bytes) -> bytes:
    return f"\x01tempo-infra {NONCE} reply {len(text)} 0\n".encode() + text


ENDLESS: dict[str, Callable[[], Process]] = {
    "zeros without a line end": lambda: Says(always(bytes(65536))),
    "lines": lambda: Says(always(b"yes\n" * 16384)),
    "escape codes": lambda: Says(always(b"\x1b[2J\x1b]0;owned\x07" * 4096)),
    "frames of another run": lambda: Says(always(encode("other", "reply", {"results": ["x"]}) + b"\n")),
    "the error stream": lambda: Says(iter(()), errors=b"\x1b[31mno\n" * 8192),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_output_that_never_ends_is_ended_in_little_memory(name: str) -> None:
    tracemalloc.start()
    with pytest.raises(UnreachableError) as caught:
        ask(ENDLESS[name]())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MIB
    assert caught.value.host == "db-1"


def test_a_host_that_is_alive_for_ever_and_never_done_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = encode(NONCE, "event", {"step": "facts", "state": "alive"})
    with pytest.raises(UnreachableError, match="facts: not done after 0"):
        ask(Says(always(alive)), deadline_s=0)
    monkeypatch.setattr(session, "FRAMES", 1000)
    with pytest.raises(UnreachableError, match="doesn't end"):
        ask(Says(always(alive)))


@pytest.mark.parametrize(
    "said",
    [
        raw(b"\xff\xfe{}"),
        raw(b"{"),
        raw(b"[" * 200_000 + b"]" * 200_000),
        raw(b'{"results":' + b"9" * 5000 + b"}"),
        reply(),
        reply(results=[]),
        reply(results=["a", "b"]),
        reply(results="x"),
        reply(results=[1], failed=3),
        reply(results=[1], surprise=True),
        encode(NONCE, "reply", ["results"]),
        encode(NONCE, "event", {"step": "facts"}) + reply(results=[1]),
        encode(NONCE, "event", {"step": ["facts"], "state": "alive"}),
        f"\x01tempo-infra {NONCE} reply {10**9} 0\n".encode(),
        f"\x01tempo-infra {NONCE} reply -5 5\n".encode(),
        f"\x01tempo-infra {NONCE} \xff 1 1\n".encode("latin-1"),
        b"",
    ],
    ids=range(17),
)
def test_an_answer_that_is_none_is_one_error(said: bytes) -> None:
    with pytest.raises(UnreachableError) as caught:
        ask(Says(iter((said,))))
    assert "\n" not in caught.value.what
    assert caught.value.what.isprintable()


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_an_error(said: bytes) -> None:
    for data in (said, raw(said), raw(json.dumps(said.decode("latin-1")).encode())):
        with pytest.raises(TempoInfraError):
            ask(Says(iter((data,))))


def test_what_a_failed_step_says_steers_no_terminal() -> None:
    with pytest.raises(StepFailedError) as caught:
        ask(Says(iter((reply(results=[], failed="facts", error="\x1b[2Jgone\x00\u202e", remedy="\x9b1m"),))))
    assert (caught.value.what, caught.value.remedy) == ("facts: ?[2Jgone??", "?1m")


def test_an_answer_larger_than_its_kind_is_refused_before_it_is_read() -> None:
    with pytest.raises(UnreachableError, match="frame of 5000 bytes is refused"):
        ask(Says(iter((f"\x01tempo-infra {NONCE} reply 5000 0\n".encode(),))), most_bytes=4096)
