"""What goes to the program on a host, and when: the first request ahead, the program where it is missing."""

from __future__ import annotations

from typing import Any

import pytest

from tempo_infra.deploy import payload
from tempo_infra.deploy.session import Session
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.on_host.steps import change, reading
from tempo_infra.on_host.wire import Event, encode, encode_request
from tempo_infra.secrets import Secret, redactor
from tests.unit.deploy.test_hostile_hosts import NONCE, Says

STEPS = [reading.Clock()]
REQUEST = encode_request(NONCE, STEPS)
REPLY = encode(NONCE, "reply", {"results": [1]})
HELLO, WISH = b"tempo-infra\n", payload.wish(NONCE) + b"\n"


class Hears(Says):
    """A program that keeps what it is sent."""

    def __init__(self, *said: bytes) -> None:
        super().__init__(iter(said))
        self.sent: list[bytes] = []

    def send(self, data: bytes, *, deadline_s: float) -> None:
        del deadline_s
        self.sent.append(data)


def test_a_host_that_has_the_program_is_sent_requests_alone() -> None:
    process = Hears(HELLO, REPLY, REPLY)
    session = Session("db-1", process, NONCE)
    assert (session.call(STEPS), session.call(STEPS)) == ([1], [1])
    assert process.sent == [payload.opening(NONCE, REQUEST), REQUEST]


def test_a_host_that_asks_for_the_program_is_sent_it_once() -> None:
    process = Hears(HELLO, WISH, HELLO, WISH, REPLY)
    assert Session("db-1", process, NONCE).call(STEPS) == [1]
    assert process.sent == [payload.opening(NONCE, REQUEST), payload.answer()]


def test_a_sign_of_life_never_comes_between_the_request_and_the_program() -> None:
    process = Hears(HELLO, REPLY)
    session = Session("db-1", process, NONCE)
    session.ping()
    assert process.sent == []
    session.call(STEPS)
    session.ping()
    assert process.sent[1:] == [encode(NONCE, "alive", {})]


def test_a_host_at_work_is_not_told_that_its_operator_is_there() -> None:
    """It reads nothing meanwhile: what piles up for hours could be cut in the middle."""
    process = Hears(HELLO, REPLY, encode(NONCE, "event", {"step": "clock", "state": "alive"}), REPLY)
    session = Session("db-1", process, NONCE)
    session.call(STEPS)
    session.call(STEPS, lambda _: session.ping())
    assert process.sent[1:] == [REQUEST]


def test_a_host_that_has_let_go_says_why() -> None:
    class Ended(Hears):
        def _exit_code(self, until: float) -> int:
            del until
            return 0

    process = Ended(HELLO, REPLY)
    session = Session("db-1", process, NONCE)
    session.call(STEPS)
    process._err += b"nothing was heard of the operator for 120 s, so this host was let go\n"
    with pytest.raises(UnreachableError, match="clock: the program on the host has ended: nothing was heard"):
        session.call(STEPS)


PASSWORD = Secret("temporal_db", "KYlnPzJ7vtsDlWtJqGhW2w")
HIDDEN = "<secret temporal_db>"


def told(*frames: tuple[str, dict[str, Any]]) -> Session:
    said = [encode(NONCE, kind, body) for kind, body in frames]
    return Session("db-1", Hears(HELLO, *said), NONCE, redactor([PASSWORD]))


def test_a_password_that_somebody_wrote_into_a_file_there_is_in_no_answer() -> None:
    """A plan is posted on pull requests, with what was edited on the host in its diff."""
    edited = {"tampered": {"services/history/server.yaml": f"password: {PASSWORD.value}\n"}}
    session = told(("reply", {"results": [edited]}))
    assert session.call(STEPS) == [{"tampered": {"services/history/server.yaml": f"password: {HIDDEN}\n"}}]


def test_a_password_is_in_no_event_and_in_no_error() -> None:
    event = {"step": "up", "state": "progress", "detail": f"at {PASSWORD.value}"}
    words = {
        "failed": "up",
        "error": f"near {PASSWORD.value}",
        "remedy": PASSWORD.value,
        "now": PASSWORD.value,
    }
    seen: list[Event] = []
    with pytest.raises(StepFailedError) as caught:
        told(("event", event), ("reply", {"results": [], **words})).call([change.Up([])], seen.append)
    assert [one.detail for one in seen] == [f"at {HIDDEN}"]
    error = caught.value
    assert (error.what, error.remedy, error.now) == (f"up: near {HIDDEN}", HIDDEN, HIDDEN)
