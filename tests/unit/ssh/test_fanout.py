"""The same for several hosts at once."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable

import pytest

from tempo_infra.errors import InputError, UnreachableError
from tempo_infra.ssh import fan_out


def test_one_host_that_fails_stops_no_other() -> None:
    lost = UnreachableError("no route")

    def work(name: str) -> str:
        if name == "b":
            raise lost
        return name.upper()

    assert fan_out(work, "abc", at_once=2) == {"a": "A", "b": lost, "c": "C"}


def unending(depth: int) -> int:
    return unending(depth + 1)


RAISES: dict[str, Callable[[], object]] = {
    "a number": lambda: float(10**400),
    "a digit too many": lambda: int("9" * 5000),
    "no end": lambda: unending(0),
    "no memory": lambda: bytearray(1 << 62),
    "no such key": lambda: {}["x\x1b[2J"],  # type: ignore[index]  # nothing is in it
    "a socket": lambda: (_ for _ in ()).throw(ConnectionResetError(104, "reset")),
}


@pytest.mark.parametrize("what", RAISES)
def test_whatever_an_answer_makes_our_code_raise_is_that_hosts_error(what: str) -> None:
    found = fan_out(lambda name: RAISES[what]() if name == "b" else name, "abc", at_once=2)
    error = found.pop("b")
    assert found == {"a": "a", "c": "c"}
    assert isinstance(error, UnreachableError)
    assert error.host == "b"
    place = r"\w+\.py:\d+"
    assert re.fullmatch(rf"nothing can be made of its answer: \w+Error at {place}, from {place}", error.what)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOMEM])
def test_what_this_machine_refuses_is_no_hosts_error(number: int) -> None:
    def work(name: str) -> str:
        raise OSError(number, "refused", name)

    with pytest.raises(OSError, match="refused"):
        fan_out(work, "a")


def test_who_looks_for_a_bug_sees_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPO_INFRA_TRACEBACK", "1")
    with pytest.raises(RecursionError):
        fan_out(lambda _: unending(0), "a")


def test_what_is_wrong_with_the_input_is_no_hosts_error() -> None:
    def work(name: str) -> str:
        raise InputError(name)

    with pytest.raises(InputError):
        fan_out(work, "a")


def test_a_thread_that_renders_lets_one_that_talks_to_a_host_go_on() -> None:
    """With Python's own 5 ms a login of ten exchanges would take 50 ms longer beside it."""
    fan_out(str.upper, "a")
    assert sys.getswitchinterval() == pytest.approx(0.001)
