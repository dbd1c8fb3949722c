"""A host that says anything but an answer: one error, bounded memory, no character that steers a terminal."""

from __future__ import annotations

import contextlib
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.checks.reader import MAX_TEXT_BYTES
from tempo_infra.deploy import responses, session
from tempo_infra.deploy.session import Session
from tempo_infra.errors import StepFailedError, TempoInfraError, UnreachableError
from tempo_infra.on_host.facts import FactsOptions
from tempo_infra.on_host.steps import change, reading
from tempo_infra.on_host.steps.step import Step
from tempo_infra.on_host.wire import Event, encode
from tempo_infra.secrets import Secret, redactor
from tempo_infra.ssh.transport import Process
from tests.unit.deploy.test_plan import FRESH

pytestmark = pytest.mark.thorough

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


FACTS, STATE = reading.Facts(FactsOptions()), reading.State({}, [], [], "")


def always(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


def ask(process: Process, **more: Any) -> list[Any]:
    return Session("db-1", process, NONCE).call([FACTS], **more)


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
    assert (caught.value.what, caught.value.remedy) == ("facts: gone??", "")


@pytest.mark.parametrize(
    ("kind", "step", "size"),
    [
        ("reply", reading.Clock(), 5000),
        ("reply", FACTS, 2 * MIB),
        ("reply", STATE, 5 * MIB),
        ("reply", change.Confirm("r", ""), MIB),
        ("event", STATE, MIB),
        ("surprise", STATE, 2),
    ],
)
def test_a_frame_larger_than_its_kind_is_refused_before_it_is_read(kind: str, step: Step, size: int) -> None:
    said = f"\x01tempo-infra {NONCE} {kind} {size} 0\n".encode()
    with pytest.raises(UnreachableError, match=f"{step.name}: a frame of {size} bytes is refused"):
        Session("db-1", Says(iter((said,))), NONCE).call([step])


def test_facts_may_be_as_long_on_their_way_as_when_they_are_read() -> None:
    assert responses.most_bytes("reply", [FACTS]) == MAX_TEXT_BYTES


# A host's word for a number, a text or a step: whatever it is, the error is that host's, and one line.
MANY = b'{"results":[[' + b",".join([b"{}"] * 300_000) + b"]]}"
NESTED = b'{"results":[' + b"[" * 45 + b"]" * 45 + b"]}"


@pytest.mark.parametrize(
    "said",
    [
        raw(MANY),
        raw(NESTED),
        raw(b'{"results":[1e999]}'),
        raw(b'{"results":[NaN]}'),
        raw(b'{"results":[-Infinity]}'),
        raw(b'{"results":[1' + b"0" * 10_000 + b"]}"),
        raw(b'{"results":[1],"results":[1]}'),
        raw(b'{"results":[{"confirmed":"a","confirmed":"b"}]}'),
        raw(b'{"results":[{"confirmed":"a","confirm\\u0065d":"b"}]}'),
        raw(b'{"results":[{"confirmed":"a","confirmed\\u001b[0m":"b"}]}'),
        raw(b'{"results":[1' + b"0" * 400 + b"]}"),
        raw(b'{"results":[{"a":1,"b":' + b"7" * 5000 + b"}]}"),
        reply(results=[1], needs_person=1),
        reply(results=[1], failed="arm"),
        *(
            encode(NONCE, "event", {"step": "facts", "state": "ended", **wrong}) + reply(results=[1])
            for wrong in (
                {"seconds": 10**400},
                {"seconds": 1e300},
                {"seconds": -1},
                {"seconds": True},
                {"seconds": "1"},
                {"step": "[/x]"},
                {"step": "confirm"},
                {"state": "confirmed"},
                {"detail": ["x"]},
            )
        ),
    ],
)
def test_a_word_that_can_not_be_is_one_error(said: bytes) -> None:
    with pytest.raises(UnreachableError) as caught:
        ask(Says(iter((said,))))
    assert caught.value.what.startswith("facts: ")
    assert caught.value.what.isprintable()


WORST: dict[str, Callable[[], bytes]] = {
    "objects": lambda: b"[" + b",".join([b'{"":[]}'] * 87_000) + b"]",
    "numbers": lambda: b"[" + b",".join([b"12345678901234"] * 262_000) + b"]",
    "names": lambda: b"{" + b",".join(b'"%07d":1' % number for number in range(262_000)) + b"}",
    "one text": lambda: b'"' + b"x" * (4 * MIB - 64) + b'"',
    "wide letters": lambda: b'"' + "\U0001f600".encode() * (MIB - 64) + b'"',
    "lines": lambda: b'"' + b"\\n" * (2 * MIB - 64) + b'"',
}


@pytest.mark.parametrize("what", WORST)
def test_the_worst_answer_that_is_taken_takes_little_memory(what: str) -> None:
    said = raw(b'{"results":[' + WORST[what]() + b"]}")
    process = Says(iter((said,)))
    tracemalloc.start()
    Session("db-1", process, NONCE).call([STATE])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * MIB


def test_a_flood_of_events_ends_and_signs_of_life_do_not_count() -> None:
    def heard(state: str) -> int:
        seen: list[Event] = []
        told = encode(NONCE, "event", {"step": "facts", "state": state})
        said = itertools.chain(itertools.repeat(told, 3000), [reply(results=[1])])
        with contextlib.suppress(UnreachableError):
            Session("db-1", Says(said), NONCE).call([FACTS], seen.append)
        return len(seen)

    assert (heard("progress"), heard("alive")) == (session.EVENTS, 3000)


def test_what_a_host_says_while_it_works_is_one_line_without_anything_that_steers() -> None:
    seen: list[Event] = []
    harm = "done\r\x1b[2Kdb-1: confirmed\n\x1b]52;c;ZXZpbA==\x07front-1: confirmed\u2028\u202eon\x90q\x9c"
    event = {"step": "facts", "state": "ended", "detail": harm + "x" * 5000}
    Session("db-1", Says(iter((encode(NONCE, "event", event) + reply(results=[1]),))), NONCE).call(
        [FACTS], seen.append
    )
    [told] = seen
    assert told.detail.startswith("done db-1: confirmed front-1: confirmed ?onxxx")
    assert len(told.detail) == responses.LONGEST_WORDS


def test_what_a_host_says_of_a_failure_never_looks_like_another_hosts_line() -> None:
    body = reply(results=[], failed="facts", error="no\nfront-1: confirmed", now="back\r\nfront-1: ok")
    with pytest.raises(StepFailedError) as caught:
        ask(Says(iter((body,))))
    assert (caught.value.what, caught.value.now) == ("facts: no\n  front-1: confirmed", "back\n  front-1: ok")


def test_only_files_have_lines_and_a_secret_is_one_with_anything_invisible_in_it() -> None:
    answer = {
        "hostname": "db-1\nfront-1: confirmed",
        "texts": {"a\nb": "x\ty\n\x1b[0m"},
        "open_run": "KYlnPzJ7\x1b[0mvtsDlWtJqGhW2w",
    }
    hide = redactor([Secret("temporal_db", "KYlnPzJ7vtsDlWtJqGhW2w")])
    said = Says(iter((reply(results=[answer]),)))
    [read] = Session("db-1", said, NONCE, hide).call([STATE])
    assert read == {
        "hostname": "db-1 front-1: confirmed",
        "texts": {"a b": "x\ty\n"},
        "open_run": "<secret temporal_db>",
    }


def test_only_files_and_output_are_longer_than_anybody_reads() -> None:
    long = "tempo-infra plan " * 3_000
    said = {"open_run": long, "unfit": [{"what": long}], "texts": {"a": long}, "out": long}
    answer = ask(Says(iter((reply(results=[said]),))))[0]
    assert (len(answer["open_run"]), len(answer["unfit"][0]["what"])) == (responses.LONGEST_TEXT,) * 2
    assert answer["open_run"].endswith("…")
    assert (answer["texts"], answer["out"]) == ({"a": long}, long)


def test_a_secret_is_taken_out_before_a_command_is_broken() -> None:
    hide = redactor([Secret("temporal_db", "##[KYlnPzJ7vtsDlWtJqGhW2w")])
    said = {"open_run": "it is ##[KYlnPzJ7vtsDlWtJqGhW2w ::add-mask::e ##[group]"}
    event = encode(NONCE, "event", {"step": "state", "state": "progress", "detail": said["open_run"]})
    heard: list[Event] = []
    process = Says(iter((event + b"\n" + reply(results=[said]),)))
    [read] = Session("db-1", process, NONCE, hide).call([STATE], heard.append)
    assert isinstance(read, dict)
    assert read["open_run"] == heard[0].detail == "it is <secret temporal_db> : :add-mask::e # #[group]"


def test_a_password_is_what_lies_there_whatever_it_looks_like() -> None:
    said = {"temporal/db_password": "::error ##[" + "x" * 4000}
    process = Says(iter((reply(results=[said]),)))
    assert Session("db-1", process, NONCE).call([reading.Passwords([])]) == [said]


def test_a_manifest_hides_nothing_in_the_escapes_of_its_own_json() -> None:
    text = json.dumps({"files": {"\x1b[2Ja": {"sha256": "x"}}, "services": {}})
    assert list(responses.manifest(replace(FRESH, manifest=text)).files) == ["a"]


def test_halves_of_characters_are_none() -> None:
    """JSON can write a lone surrogate, which no file and no terminal takes."""
    [read] = ask(Says(iter((raw(b'{"results":["a\\ud800b\\udc80"]}'),))))
    assert read == "a?b\ufffd"
